// Points as pixels of our own: tens of thousands of small discs a frame, which is more than the canvas draws in time.
// A disc is cut once, as how much it covers of each pixel, for each of 4 x 4 places within a pixel, so that it glides.

const PLACES = 4;
const MOST_PIXELS = 5e6; // on larger screens points are drawn coarser than names

class Dots {
  constructor() {
    this.sheet = document.createElement("canvas");
    this.context = this.sheet.getContext("2d", { alpha: false, willReadFrequently: true });
    this.cutFor = "";
  }

  resize(width, height, ratio) {
    this.ratio = Math.min(ratio, Math.sqrt(MOST_PIXELS / (width * height)));
    this.width = this.sheet.width = Math.max(1, Math.round(width * this.ratio));
    this.height = this.sheet.height = Math.max(1, Math.round(height * this.ratio));
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer); // 0xAABBGGRR
    this.cutFor = "";
  }

  // radii: pixels of the page, of each class of points.
  cut(radii) {
    const wanted = radii.map((radius) => radius.toFixed(1)).join();
    if (wanted === this.cutFor) return;
    this.cutFor = wanted;
    this.sides = radii.map((radius) => Math.ceil(2 * radius * this.ratio) + 2);
    this.discs = radii.map((radius, k) => {
      const side = this.sides[k], r = radius * this.ratio, covers = new Uint16Array(PLACES * PLACES * side * side);
      for (let place = 0, at = 0; place < PLACES * PLACES; place++) {
        const middleX = side / 2 - 0.5 + ((place % PLACES) + 0.5) / PLACES;
        const middleY = side / 2 - 0.5 + (Math.floor(place / PLACES) + 0.5) / PLACES;
        for (let y = 0; y < side; y++)
          for (let x = 0; x < side; x++, at++) {
            const away = Math.hypot(x + 0.5 - middleX, y + 0.5 - middleY);
            covers[at] = Math.round(256 * clamp(r - away + 0.5, 0, 1));
          }
      }
      return covers;
    });
  }

  clear(paper) {
    this.pixels.fill(paper);
  }

  // A disc about (x, y), in pixels of the page; strength from 0 to 256.
  stamp(x, y, colour, kind, strength) {
    const side = this.sides[kind], covers = this.discs[kind], { pixels, width } = this;
    const left = x * this.ratio - side / 2 + 0.5, top = y * this.ratio - side / 2 + 0.5;
    const column = Math.floor(left), row = Math.floor(top);
    if (column < 0 || row < 0 || column + side > width || row + side > this.height) return this.edge(column, row, colour, kind, strength);
    const place = Math.floor((top - row) * PLACES) * PLACES + Math.floor((left - column) * PLACES);
    const redBlue = colour & 0xff00ff, green = colour & 0xff00;
    let at = place * side * side;
    for (let y = 0; y < side; y++) {
      let to = (row + y) * width + column;
      for (let x = 0; x < side; x++, at++, to++) {
        const part = (covers[at] * strength) >> 8;
        if (!part) continue;
        const old = pixels[to], rest = 256 - part;
        pixels[to] =
          (0xff000000 | ((((old & 0xff00ff) * rest + redBlue * part) >>> 8) & 0xff00ff) | ((((old & 0xff00) * rest + green * part) >>> 8) & 0xff00)) >>> 0;
      }
    }
  }

  // The same where a disc is cut by the edge of the page: pixel by pixel, without gliding.
  edge(column, row, colour, kind, strength) {
    const side = this.sides[kind], covers = this.discs[kind], { pixels, width, height } = this;
    for (let y = Math.max(0, -row); y < Math.min(side, height - row); y++)
      for (let x = Math.max(0, -column); x < Math.min(side, width - column); x++) {
        const part = (covers[y * side + x] * strength) >> 8, to = (row + y) * width + column + x;
        const mix = (shift) => ((((pixels[to] >> shift) & 255) * (256 - part) + ((colour >> shift) & 255) * part) >> 8) << shift;
        pixels[to] = (0xff000000 | mix(0) | mix(8) | mix(16)) >>> 0;
      }
  }

  // Puts the pixels onto a canvas that shows the page at its own ratio.
  show(context, width, height) {
    if (this.width === width && this.height === height) return context.putImageData(this.image, 0, 0);
    this.context.putImageData(this.image, 0, 0);
    context.drawImage(this.sheet, 0, 0, width, height);
  }
}

// A colour of the style sheet as 0xAABBGGRR.
function pixelOf(colour) {
  const c = pixelOf.context ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  c.fillStyle = colour;
  c.fillRect(0, 0, 1, 1);
  return new Uint32Array(c.getImageData(0, 0, 1, 1).data.buffer)[0];
}
