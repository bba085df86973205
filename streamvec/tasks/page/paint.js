// One frame on the canvas: points, the chosen word with lines to its neighbours, and names. What is told of it (which
// names stand where) is kept for the pointer and for tests.

const RAMPS = { // from the most frequent word to the rarest
  light: ["#440f5c", "#3f4788", "#2f6c8e", "#26908a", "#3fae75", "#8cc152", "#c3cf4e"],
  dark: ["#fff3a0", "#f7c65a", "#ef9a50", "#d96a6a", "#b0508f", "#8556a8", "#5f5fa8"],
};
const STEPS = 32; // colours of a ramp

class Painter {
  constructor(canvas, data, grid, labels) {
    Object.assign(this, { canvas, data, grid, labels });
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.shades = new Uint8Array(data.n);
    this.classes = Uint8Array.from({ length: data.n }, (_, i) => (i < data.n / 400 ? 2 : i < data.n / 40 ? 1 : 0));
    this.dots = new Dots();
    this.boxes = []; // of the names of the last frame: { i, left, top, right, bottom }
    this.points = 0; // of the last frame
  }

  resize(width, height, ratio) {
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.dots.resize(width, height, ratio);
  }

  recolour(colour, theme) {
    const { data, shades } = this;
    this.theme = theme;
    this.colour = colour;
    this.palette = colour === "cluster" ? data.groupColours : ramp(theme);
    if (colour === "cluster") shades.set(data.groups);
    else for (let i = 0; i < data.n; i++) shades[i] = Math.round((STEPS - 1) * depth(i, data.n));
    this.pixels = this.palette.map(pixelOf);
    const styles = getComputedStyle(document.documentElement);
    [this.paper, this.ink, this.accent] = ["--paper", "--ink", "--accent"].map((name) => styles.getPropertyValue(name).trim());
  }

  // Pixels, of a point of the smallest class.
  radius(view) {
    return clamp((0.16 * view.scale * WORLD) / Math.sqrt(this.data.n), 1.15, 5);
  }

  frame(view, chosen, hovered, group) {
    const c = this.context, { data, ratio } = this;
    this.view = view;
    const { paper, ink, accent } = this, radius = this.radius(view);
    this.radii = [radius, radius * 1.35 + 0.3, radius * 1.8 + 0.6];
    const named = this.stampAll(view, chosen, group);
    c.setTransform(1, 0, 0, 1, 0, 0);
    this.dots.show(c, this.canvas.width, this.canvas.height);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.textBaseline = "middle";
    c.lineJoin = "round";
    this.boxes = [];
    const pins = chosen < 0 ? [] : [chosen, ...nearTo(data, chosen)];
    if (chosen >= 0) this.lines(view, pins, accent);
    const kept = this.pinned(view, pins);
    this.names(view, named, kept, chosen >= 0, paper, ink);
    for (const box of kept) this.pin(box, box.i === chosen, paper, ink, accent);
    if (hovered >= 0) this.ring(view, hovered, ink, 2);
  }

  // Draws the points in sight; returns the words that may bear names. What is not of the group is faint, and below.
  stampAll(view, chosen, group) {
    const { data, shades, classes, dots, pixels, labels } = this;
    const level = labels.at(view.scale), named = [], { x, y } = data, { scale } = view;
    const shiftX = view.width / 2 - view.x * scale, shiftY = view.height / 2 - view.y * scale;
    const box = [view.worldX(-260), view.worldY(-20), view.worldX(view.width + 20), view.worldY(view.height + 20)];
    const pass = (strength, admits, naming) =>
      this.grid.within(...box, (i) => {
        if (!admits(i)) return;
        if (naming && labels.level[i] <= level) named.push(i);
        dots.stamp(x[i] * scale + shiftX, y[i] * scale + shiftY, pixels[shades[i]], classes[i], strength);
        this.points++;
      });
    this.points = 0;
    dots.cut(this.radii);
    dots.clear(pixelOf(this.paper));
    if (group >= 0) {
      pass(26, (i) => data.groups[i] !== group, false);
      pass(218, (i) => data.groups[i] === group, true);
    } else pass(chosen >= 0 ? 72 : 218, () => true, true);
    return named;
  }

  lines(view, pins, accent) {
    const c = this.context, [from, ...others] = pins;
    c.strokeStyle = accent;
    c.lineWidth = 1.2;
    c.globalAlpha = 0.55;
    c.beginPath();
    for (const i of others) {
      c.moveTo(this.px(view, from), this.py(view, from));
      c.lineTo(this.px(view, i), this.py(view, i));
    }
    c.stroke();
    c.globalAlpha = 1;
    for (const i of pins) {
      c.fillStyle = this.palette[this.shades[i]];
      c.beginPath();
      c.arc(this.px(view, i), this.py(view, i), Math.max(4, this.radii[1]), 0, 2 * Math.PI);
      c.fill();
    }
    this.ring(view, from, accent, 2.5);
  }

  ring(view, i, colour, width) {
    const c = this.context;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    c.arc(this.px(view, i), this.py(view, i), Math.max(6, this.radii[1] + 3), 0, 2 * Math.PI);
    c.stroke();
  }

  // Places in sight for the names of the chosen word and its neighbours: about their points and on no other's, or none.
  pinned(view, pins) {
    const c = this.context, kept = [];
    const points = pins.map((i) => {
      const x = this.px(view, i), y = this.py(view, i);
      return { i, left: x - 5, top: y - 5, right: x + 5, bottom: y + 5 };
    });
    const free = (box) =>
      kept.every((other) => apart(box, other)) && points.every((point) => point.i === box.i || apart(box, point)) &&
      (box.left >= 0 || box.right <= 20) && (box.right <= view.width || box.left >= view.width - 20);
    pins.forEach((i, order) => {
      const size = order ? 13 : 16;
      c.font = `600 ${size}px ${FONT}`;
      const text = visible(this.data.words[i]), width = c.measureText(text).width + 10, height = size + 8;
      const x = this.px(view, i), y = this.py(view, i);
      const sides = [[x + 9, y - height / 2], [x - 9 - width, y - height / 2], [x - width / 2, y - 9 - height], [x - width / 2, y + 9]];
      for (const far of [26, 46]) sides.push([x + 9, y - height / 2 - far], [x + 9, y - height / 2 + far], [x - 9 - width, y - height / 2 - far], [x - 9 - width, y - height / 2 + far]);
      for (const [k, [left, top]] of sides.entries()) {
        const box = { i, left, top, right: left + width, bottom: top + height, text, size, away: k >= 4 };
        if (free(box)) {
          kept.push(box);
          break;
        }
      }
    });
    return kept;
  }

  pin(box, first, paper, ink, accent) {
    const c = this.context;
    if (box.away) { // a line leads to it
      const x = this.px(this.view, box.i), y = this.py(this.view, box.i);
      c.strokeStyle = ink;
      c.lineWidth = 0.8;
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(clamp(x, box.left, box.right), clamp(y, box.top, box.bottom));
      c.stroke();
    }
    c.font = `600 ${box.size}px ${FONT}`;
    c.fillStyle = first ? accent : paper;
    c.globalAlpha = 0.92;
    c.beginPath();
    c.roundRect(box.left, box.top, box.right - box.left, box.bottom - box.top, 5);
    c.fill();
    c.globalAlpha = 1;
    c.fillStyle = first ? paper : ink;
    c.fillText(box.text, box.left + 5, (box.top + box.bottom) / 2 + 0.5);
    this.boxes.push(box);
  }

  names(view, named, kept, faint, paper, ink) {
    const c = this.context, { data, labels } = this;
    const pinned = new Set(kept.map((box) => box.i));
    c.globalAlpha = faint ? 0.45 : 1;
    c.strokeStyle = paper;
    c.fillStyle = ink;
    c.lineWidth = 3;
    for (const size of SIZES) {
      c.font = `${size}px ${FONT}`;
      for (const i of named) {
        if (labels.size(i) !== size || pinned.has(i)) continue;
        const left = this.px(view, i) + ASIDE, y = this.py(view, i);
        const box = { i, left, top: y - size / 2, right: left + labels.width(i) - ROOM, bottom: y + size / 2 };
        if (box.right < 0 || left > view.width || box.bottom < 0 || box.top > view.height) continue;
        if (!kept.every((other) => apart(box, other))) continue;
        const text = visible(data.words[i]);
        c.strokeText(text, left, y);
        c.fillText(text, left, y);
        this.boxes.push(box);
      }
    }
    c.globalAlpha = 1;
  }

  px(view, i) {
    return view.screenX(this.data.x[i]);
  }

  py(view, i) {
    return view.screenY(this.data.y[i]);
  }
}

function apart(a, b) {
  return a.right <= b.left || a.left >= b.right || a.bottom <= b.top || a.top >= b.bottom;
}

function nearTo(data, i) {
  return [...data.neighbours.subarray(i * data.near, (i + 1) * data.near)];
}

// 0 for the most frequent word, 1 for the rarest, by the logarithm of the place.
function depth(i, n) {
  return Math.log1p(i) / Math.log1p(Math.max(n - 1, 1));
}

function ramp(theme) {
  const marks = RAMPS[theme].map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  return Array.from({ length: STEPS }, (_, step) => {
    const at = (step / (STEPS - 1)) * (marks.length - 1), k = Math.min(Math.floor(at), marks.length - 2);
    return `rgb(${marks[k].map((low, part) => Math.round(low + (marks[k + 1][part] - low) * (at - k))).join()})`;
  });
}
