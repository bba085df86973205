// What part of the world is seen: its middle, and how many pixels a unit of the world takes; moved at once or in flight.

class View {
  constructor() {
    this.x = WORLD / 2;
    this.y = WORLD / 2;
    this.scale = 0.01;
    this.width = 1;
    this.height = 1;
    this.least = 0.005;
    this.most = 1.5; // beyond, the whole numbers of places would show
    this.inset = { left: 0, top: 0, right: 0, bottom: 0 }; // pixels that cards cover
    this.flight = null;
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
    this.least = (0.5 * Math.min(width, height)) / WORLD;
    this.scale = Math.max(this.scale, this.least);
  }

  screenX(x) {
    return (x - this.x) * this.scale + this.width / 2;
  }

  screenY(y) {
    return (y - this.y) * this.scale + this.height / 2;
  }

  worldX(px) {
    return (px - this.width / 2) / this.scale + this.x;
  }

  worldY(py) {
    return (py - this.height / 2) / this.scale + this.y;
  }

  pan(dx, dy) {
    this.flight = null;
    this.x = clamp(this.x - dx / this.scale, 0, WORLD);
    this.y = clamp(this.y - dy / this.scale, 0, WORLD);
  }

  // What is under (px, py) stays there.
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    this.flight = null;
    const scale = clamp(this.scale * factor, this.least, this.most);
    this.x = clamp(this.worldX(px) - (px - this.width / 2) / scale, 0, WORLD);
    this.y = clamp(this.worldY(py) - (py - this.height / 2) / scale, 0, WORLD);
    this.scale = scale;
  }

  // Where the view must be for a box of the world to fill what no card covers.
  around(left, top, right, bottom, margin, most = this.most) {
    const { inset } = this;
    const width = Math.max(80, this.width - inset.left - inset.right - 2 * margin);
    const height = Math.max(80, this.height - inset.top - inset.bottom - 2 * margin);
    const wanted = Math.min(width / Math.max(1, right - left), height / Math.max(1, bottom - top));
    const scale = clamp(wanted, this.least, most);
    return {
      x: (left + right) / 2 - (inset.left - inset.right) / 2 / scale,
      y: (top + bottom) / 2 - (inset.top - inset.bottom) / 2 / scale,
      scale,
    };
  }

  go(target, now, still) {
    this.flight = still ? null : { from: { x: this.x, y: this.y, scale: this.scale }, target, start: now, lasts: 600 };
    if (still) Object.assign(this, target);
  }

  // One moment of a flight; true while it lasts. Zooming is even when the logarithm of the scale is.
  fly(now) {
    if (!this.flight) return false;
    const { from, target, start, lasts } = this.flight;
    const t = clamp((now - start) / lasts, 0, 1);
    const eased = t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2;
    this.scale = from.scale * (target.scale / from.scale) ** eased;
    const even = Math.abs(target.scale - from.scale) < 1e-9 * from.scale;
    const part = even ? eased : (1 / from.scale - 1 / this.scale) / (1 / from.scale - 1 / target.scale);
    this.x = from.x + (target.x - from.x) * part;
    this.y = from.y + (target.y - from.y) * part;
    if (t === 1) this.flight = null;
    return t < 1;
  }
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
