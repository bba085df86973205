// Which words bear their names at which zoom. Levels of zoom are fixed scales, each 1.41 times the one before. The names
// of a level keep their places at all later ones, since points part as the scale grows while names stay as large: so
// moving the map never makes a name flicker, and zooming in only adds some. Levels are worked out in idle moments.

const LEVEL = Math.SQRT2;
const FIRST = 192 / WORLD; // the scale of level 0
const LEVELS = 19; // up to the largest scale of a view
const ROW = 18, COLUMN = 72; // pixels: squares in which names look for each other
const ROOM = 12; // pixels kept free beside a name
const ASIDE = 6; // pixels from a point to its name
const SIZES = [15, 13, 12]; // of letters: the first words have the largest
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

class Labels {
  constructor(data, measure) {
    this.data = data;
    this.measure = measure; // measure(i): pixels
    this.widths = new Float32Array(data.n);
    this.level = new Uint8Array(data.n).fill(255); // from which level on a word bears its name
    this.ready = 0; // levels that are worked out
    this.work = this.levels();
  }

  size(i) {
    return SIZES[i < this.data.n / 400 ? 0 : i < this.data.n / 40 ? 1 : 2];
  }

  width(i) {
    if (!this.widths[i]) this.widths[i] = Math.max(1, this.measure(i)) + ROOM;
    return this.widths[i];
  }

  // The level that a scale has names of.
  at(scale) {
    return clamp(Math.floor(Math.log(scale / FIRST) / Math.log(LEVEL) + 1e-6), 0, this.ready - 1);
  }

  // Works on until the clock says stop; true when all levels are there.
  pump(until) {
    while (this.ready < LEVELS) {
      if (performance.now() > until) return false;
      this.work.next();
    }
    return true;
  }

  // Pauses every some hundred words.
  *levels() {
    const { x, y, n } = this.data;
    for (let level = 0; level < LEVELS; level++) {
      const scale = FIRST * LEVEL ** level;
      const taken = new Map(); // square -> names in it, as left, top, right, bottom
      const squares = (box, see) => {
        for (let row = Math.floor(box[1] / ROW); row <= Math.floor(box[3] / ROW); row++)
          for (let column = Math.floor(box[0] / COLUMN); column <= Math.floor(box[2] / COLUMN); column++)
            if (see(row * 65536 + column)) return true;
        return false;
      };
      const box = (i) => {
        const left = x[i] * scale + ASIDE - 3, half = this.size(i) / 2 + 4;
        return [left, y[i] * scale - half, left + this.width(i), y[i] * scale + half];
      };
      const take = (b) => squares(b, (square) => {
        const there = taken.get(square);
        if (there) there.push(b);
        else taken.set(square, [b]);
        return false;
      });
      const hits = (b) => squares(b, (square) => {
        for (const o of taken.get(square) ?? []) if (b[0] < o[2] && b[2] > o[0] && b[1] < o[3] && b[3] > o[1]) return true;
        return false;
      });
      for (let pass = 0; pass < 2; pass++)
        for (let i = 0; i < n; i++) {
          if (i % 500 === 499) yield;
          const old = this.level[i] < level;
          if (old !== (pass === 0)) continue;
          const b = box(i);
          if (old || !hits(b)) {
            take(b);
            if (!old) this.level[i] = level;
          }
        }
      this.ready = level + 1;
      yield;
    }
  }
}
