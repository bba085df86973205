// Puts the page together: the state of what is chosen, hovered and coloured, and what pointer, wheel and keys do to it.

const data = readData(show("data"));
const canvas = show("map");
const grid = new Grid(data.x, data.y);
const view = new View();
const measuring = document.createElement("canvas").getContext("2d");
const labels = new Labels(data, (i) => {
  const font = `${labels.size(i)}px ${FONT}`;
  if (measuring.font !== font) measuring.font = font;
  return measuring.measureText(visible(data.words[i])).width;
});
const painter = new Painter(canvas, data, grid, labels);
const state = { chosen: -1, hovered: -1, group: -1, theme: "light", frames: [] };
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");
let asked = false;

function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame((now) => {
    asked = false;
    if (view.fly(now)) redraw();
    const begin = performance.now();
    painter.frame(view, state.chosen, state.hovered, state.group);
    state.frames.push(performance.now() - begin);
    if (state.frames.length > 600) state.frames.shift();
  });
}

function idle() {
  const before = labels.ready;
  const done = labels.pump(performance.now() + 6);
  if (labels.ready !== before) redraw();
  if (!done) setTimeout(idle, view.flight ? 30 : 4);
}

function resize() {
  const first = view.width === 1;
  const width = window.innerWidth, height = window.innerHeight;
  view.resize(width, height);
  painter.resize(width, height, Math.min(window.devicePixelRatio || 1, 2));
  cards();
  if (first) Object.assign(view, everything());
  redraw();
}

// What cards cover, so that words fly to where they can be seen.
function cards() {
  const narrow = view.width <= 640;
  const open = !show("panel").hidden;
  view.inset = narrow
    ? { left: 0, right: 0, top: 56, bottom: (open ? show("panel") : show("key")).offsetHeight + 8 }
    : { left: open ? 282 : 0, right: open ? 120 : 0, top: 0, bottom: 0 };
}

function everything() {
  const span = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [WORLD, 0]);
  const [left, right] = span(data.x), [top, bottom] = span(data.y);
  return view.around(left, top, right, bottom, 30);
}

function choose(i) {
  state.chosen = i;
  state.group = -1;
  hover(-1);
  fillPanel(data, i, choose);
  legend();
  cards();
  if (i >= 0) {
    const shown = [i, ...nearTo(data, i)];
    const near = shown.filter((k) => Math.hypot(data.x[k] - data.x[i], data.y[k] - data.y[i]) < WORLD / 12);
    const xs = near.map((k) => data.x[k]), ys = near.map((k) => data.y[k]);
    const most = Math.min(view.most, Math.max(view.scale, (80 * Math.sqrt(data.n)) / WORLD));
    const room = WORLD / Math.sqrt(data.n) / 3;
    const target = view.around(Math.min(...xs) - room, Math.min(...ys) - room, Math.max(...xs) + room, Math.max(...ys) + room, 40, most);
    view.go(target, performance.now(), calm.matches);
  }
  redraw();
}

function legend() {
  fillLegend(data, painter, state.group, (group) => {
    state.group = group;
    legend();
    redraw();
  });
}

function recolour(colour, theme) {
  state.theme = theme;
  document.documentElement.dataset.theme = theme;
  painter.recolour(colour, theme);
  if (colour !== "cluster") state.group = -1;
  legend();
  cards();
  redraw();
}

// The word whose point or name is at (x, y), or -1.
function under(x, y, reach) {
  const found = grid.nearest(view.worldX(x), view.worldY(y), reach / view.scale, (i) => state.group < 0 || data.groups[i] === state.group);
  if (found >= 0 && Math.hypot(painter.px(view, found) - x, painter.py(view, found) - y) <= painter.radius(view) + 2) return found;
  const name = painter.boxes.findLast((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
  return name ? name.i : found;
}

function hover(i, x, y) {
  const tip = show("tip");
  if (i !== state.hovered) {
    state.hovered = i;
    canvas.classList.toggle("pointing", i >= 0);
    tip.hidden = i < 0;
    if (i >= 0) {
      show("tip-word").textContent = visible(data.words[i]);
      show("tip-about").textContent = about(data, i);
    }
    redraw();
  }
  if (i < 0) return;
  tip.style.left = clamp(x + 14, 4, view.width - tip.offsetWidth - 4) + "px";
  tip.style.top = (y + 18 + tip.offsetHeight > view.height ? y - 12 - tip.offsetHeight : y + 18) + "px";
}

const fingers = new Map(); // pointers that are down: id -> {x, y}
let moved = 0; // pixels since the first went down

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (fingers.size === 1) moved = 0;
  hover(-1);
});

canvas.addEventListener("pointermove", (event) => {
  const { clientX: x, clientY: y } = event;
  const finger = fingers.get(event.pointerId);
  if (!finger) return hover(under(x, y, 14), x, y);
  const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
  moved += Math.hypot(x - finger.x, y - finger.y);
  if (others.length) {
    const [other] = others;
    const before = Math.hypot(finger.x - other.x, finger.y - other.y), after = Math.hypot(x - other.x, y - other.y);
    view.pan((x - finger.x) / 2, (y - finger.y) / 2);
    if (before > 0) view.zoom(after / before, (x + other.x) / 2, (y + other.y) / 2);
  } else if (moved > 3) {
    canvas.classList.add("moving");
    view.pan(x - finger.x, y - finger.y);
  }
  if (others.length || moved > 3) Object.assign(finger, { x, y });
  redraw();
});

function lift(event) {
  const tapped = fingers.size === 1 && moved <= 3 && event.type === "pointerup";
  fingers.delete(event.pointerId);
  canvas.classList.remove("moving");
  if (tapped) choose(under(event.clientX, event.clientY, event.pointerType === "touch" ? 24 : 14));
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("pointerleave", () => hover(-1));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 33 : 1; // of a wheel that counts in lines
  view.zoom(Math.exp(clamp(-event.deltaY * lines, -240, 240) * (event.ctrlKey ? 0.01 : 0.002)), event.clientX, event.clientY);
  hover(-1);
  redraw();
}, { passive: false });

function zoomBy(factor) {
  const x = view.worldX(view.width / 2), y = view.worldY(view.height / 2);
  view.go({ x, y, scale: clamp(view.scale * factor, view.least, view.most) }, performance.now(), calm.matches);
  redraw();
}

const KEYS = {
  ArrowLeft: () => view.pan(80, 0),
  ArrowRight: () => view.pan(-80, 0),
  ArrowUp: () => view.pan(0, 80),
  ArrowDown: () => view.pan(0, -80),
  "+": () => zoomBy(1.6),
  "=": () => zoomBy(1.6),
  "-": () => zoomBy(1 / 1.6),
  0: () => view.go(everything(), performance.now(), calm.matches),
  Escape: () => choose(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.target === show("search") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") show("search").focus();
  else if (event.key in KEYS && (event.target === canvas || event.target === document.body || event.key === "Escape")) KEYS[event.key]();
  else return;
  event.preventDefault();
  redraw();
});

show("in").addEventListener("click", () => zoomBy(1.6));
show("out").addEventListener("click", () => zoomBy(1 / 1.6));
show("all").addEventListener("click", () => KEYS[0]() ?? redraw());
show("theme").addEventListener("click", () => recolour(painter.colour, state.theme === "dark" ? "light" : "dark"));
show("close").addEventListener("click", () => choose(-1));
for (const button of show("colours").children)
  button.addEventListener("click", () => recolour(button.dataset.colour, state.theme));
show("colours").addEventListener("keydown", (event) => {
  if (!event.key.startsWith("Arrow")) return;
  recolour(painter.colour === "cluster" ? "frequency" : "cluster", state.theme);
  show("colours").querySelector("[aria-checked=true]").focus();
  event.preventDefault();
  event.stopPropagation();
});
dark.addEventListener("change", () => recolour(painter.colour, dark.matches ? "dark" : "light"));
window.addEventListener("resize", resize);

new Search(data, show("search"), show("matches"), choose);
show("origin").textContent = visible(`${data.name}: ${data.n.toLocaleString("en")} words by ${data.method}`);
recolour(data.colour, dark.matches ? "dark" : "light");
resize();
idle();

// For tests: what the page shows. state(): { n, chosen, hovered, group, theme, colour, x, y, scale, flying, level, ready,
// points } with words as their numbers; names(): the names of the last frame as { i, word, left, top, right, bottom };
// place(i): where a word's point is, in pixels; frames(): milliseconds that drawing the last frames took.
window.wordMap = {
  state: () => ({
    n: data.n, chosen: state.chosen, hovered: state.hovered, group: state.group, theme: state.theme, colour: painter.colour,
    x: view.x, y: view.y, scale: view.scale, flying: view.flight !== null, level: labels.at(view.scale),
    ready: labels.ready === LEVELS, points: painter.points,
  }),
  names: () => painter.boxes.map(({ i, left, top, right, bottom }) => ({ i, word: data.words[i], left, top, right, bottom })),
  place: (i) => ({ x: painter.px(view, i), y: painter.py(view, i) }),
  frames: () => state.frames.splice(0),
};
