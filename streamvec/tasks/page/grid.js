// Points by squares of the world: which are in sight, and which is nearest to the pointer, without looking at all.

class Grid {
  constructor(xs, ys) {
    const n = xs.length;
    this.xs = xs;
    this.ys = ys;
    this.side = clamp(Math.ceil(Math.sqrt(n / 6)), 1, 256);
    this.cell = WORLD / this.side;
    this.starts = new Uint32Array(this.side * this.side + 1); // where the points of each square begin in items
    this.items = new Uint32Array(n); // the most frequent word of a square first
    const square = (i) => Math.floor(ys[i] / this.cell) * this.side + Math.floor(xs[i] / this.cell);
    for (let i = 0; i < n; i++) this.starts[square(i) + 1]++;
    for (let c = 0; c < this.side * this.side; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    for (let i = 0; i < n; i++) this.items[next[square(i)]++] = i;
  }

  column(x) {
    return clamp(Math.floor(x / this.cell), 0, this.side - 1);
  }

  // Calls see(i) for the points of all squares that touch the box.
  within(left, top, right, bottom, see) {
    const first = this.column(left), last = this.column(right);
    for (let row = this.column(top); row <= this.column(bottom); row++) {
      const end = this.starts[row * this.side + last + 1];
      for (let k = this.starts[row * this.side + first]; k < end; k++) see(this.items[k]);
    }
  }

  // The point nearest to (x, y) of those not further than reach, or -1.
  nearest(x, y, reach, admits = () => true) {
    let best = -1, least = reach * reach;
    this.within(x - reach, y - reach, x + reach, y + reach, (i) => {
      const far = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
      if ((far < least || (far === least && i < best)) && admits(i)) {
        best = i;
        least = far;
      }
    });
    return best;
  }
}
