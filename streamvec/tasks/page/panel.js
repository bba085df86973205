// The cards: the chosen word with its neighbours in the space of the vectors, and what colours mean.

function show(id) {
  return document.getElementById(id);
}

function fillPanel(data, i, choose) {
  show("panel").hidden = i < 0;
  document.body.classList.toggle("chosen", i >= 0);
  if (i < 0) return;
  show("word").textContent = visible(data.words[i]);
  const group = data.groups ? `. Cluster of ${data.groupNames[data.groups[i]]}` : "";
  show("about").textContent = visible(about(data, i) + group);
  show("neighbours").replaceChildren(...nearTo(data, i).map((other, k) => neighbour(data, other, i * data.near + k, choose)));
  show("panel").scrollTop = 0;
}

function neighbour(data, i, at, choose) {
  const item = document.createElement("li"), button = document.createElement("button");
  const word = document.createElement("bdi"), bar = document.createElement("i"), cosine = document.createElement("span");
  const value = data.cosines[at] / 100 - 1;
  word.textContent = visible(data.words[i]);
  const length = `${Math.round(100 * Math.max(0, value))}%`;
  bar.style.background = `linear-gradient(to right, var(--accent) ${length}, var(--line) ${length})`;
  cosine.textContent = value.toFixed(2);
  button.type = "button";
  button.dataset.i = String(i);
  button.append(word, bar, cosine);
  button.addEventListener("click", () => choose(i));
  item.append(button);
  return item;
}

function fillLegend(data, painter, group, pick) {
  for (const button of show("colours").children) {
    button.setAttribute("aria-checked", String(button.dataset.colour === painter.colour));
    button.tabIndex = button.dataset.colour === painter.colour ? 0 : -1;
  }
  show("colours").hidden = !data.groups;
  show("legend").replaceChildren(...(painter.colour === "cluster" ? [groupList(data, group, pick)] : frequencies(data, painter)));
}

function frequencies(data, painter) {
  const bar = document.createElement("div"), ends = document.createElement("div");
  bar.className = "ramp";
  bar.style.background = `linear-gradient(to right, ${painter.palette.join()})`;
  ends.className = "ends";
  const last = data.n - 1;
  const told = (i) => (data.counts ? `${data.counts[i].toLocaleString("en")} times` : `rank ${(data.ranks[i] + 1).toLocaleString("en")}`);
  for (const text of [told(0), data.ranks[last] < 0 ? "unseen" : told(last)]) {
    const end = document.createElement("span");
    end.textContent = text;
    ends.append(end);
  }
  return [bar, ends];
}

function groupList(data, chosen, pick) {
  const list = document.createElement("div");
  list.className = "groups";
  data.groupNames.forEach((name, group) => {
    const button = document.createElement("button"), dot = document.createElement("span"), text = document.createElement("bdi");
    button.type = "button";
    button.className = "group";
    button.title = "Show only this cluster";
    button.setAttribute("aria-pressed", String(group === chosen));
    dot.className = "dot";
    dot.style.background = data.groupColours[group];
    text.textContent = visible(name);
    button.append(dot, text);
    button.addEventListener("click", () => pick(group === chosen ? -1 : group));
    list.append(button);
  });
  return list;
}
