// The search box: words that are, begin with or hold what is typed, the most frequent first; arrows and Enter choose.

const OFFERED = 10;

// What is compared: what is seen, without regard to case and forms of letters.
function normal(text) {
  return visible(text).normalize("NFKC").toLowerCase();
}

// Ranks of at most OFFERED words: the word itself, then beginnings, then words that hold it.
function matching(lowered, typed) {
  const wanted = normal(typed), same = [], begin = [], hold = [];
  for (let i = 0; i < lowered.length; i++) {
    const at = lowered[i].indexOf(wanted);
    if (at < 0) continue;
    if (lowered[i].length === wanted.length) same.push(i);
    else if (at === 0) begin.length < OFFERED && begin.push(i);
    else if (hold.length < OFFERED) hold.push(i);
  }
  return [...same, ...begin, ...hold].slice(0, OFFERED);
}

class Search {
  constructor(data, input, list, choose) {
    Object.assign(this, { data, input, list, choose });
    this.found = [];
    this.at = -1;
    input.addEventListener("input", () => this.look());
    input.addEventListener("focus", () => this.look());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => setTimeout(() => document.activeElement !== input && this.hide(), 150));
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(Number(option.dataset.i));
    });
  }

  look() {
    this.lowered ??= this.data.words.map(normal);
    const typed = this.input.value.trim();
    this.found = typed ? matching(this.lowered, typed) : [];
    this.mark(this.found.length ? 0 : -1, typed);
  }

  mark(at, typed = this.input.value.trim()) {
    this.at = at;
    this.list.replaceChildren(...this.found.map((i, order) => this.option(i, order === at)));
    if (typed && !this.found.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = `“${visible(typed)}” is not among these ${this.data.n.toLocaleString("en")} words.`;
      this.list.append(none);
    }
    this.list.hidden = !typed;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.setAttribute("aria-activedescendant", at < 0 ? "" : `match-${this.found[at]}`);
    this.list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  option(i, selected) {
    const item = document.createElement("li"), word = document.createElement("bdi"), rank = document.createElement("span");
    item.id = `match-${i}`;
    item.role = "option";
    item.dataset.i = String(i);
    item.setAttribute("aria-selected", String(selected));
    word.textContent = visible(this.data.words[i]);
    rank.textContent = this.data.ranks[i] < 0 ? "" : (this.data.ranks[i] + 1).toLocaleString("en");
    item.append(word, rank);
    return item;
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) this.mark((this.at + step + this.found.length) % this.found.length);
    else if (event.key === "Enter" && this.at >= 0) this.take(this.found[this.at]);
    else if (event.key === "Escape") this.input.value ? this.clear() : this.input.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(i) {
    this.input.value = visible(this.data.words[i]);
    this.input.blur();
    this.hide();
    this.choose(i);
  }

  clear() {
    this.input.value = "";
    this.hide();
  }

  hide() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }
}
