// The words of the page: what the JSON block holds, decoded once into flat arrays, and how a word is written out.

const WORLD = 65536; // places are whole numbers from 0 to 65535, y downwards

function unpacked(text, Kind) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function readData(element) {
  const data = JSON.parse(element.textContent);
  const n = data.words.length;
  const known = data.counts !== null;
  return {
    n,
    name: data.name,
    method: data.method,
    colour: data.colour,
    words: data.words,
    ranks: unpacked(data.ranks, Int32Array), // among all words, from 0; -1 where n-grams stand for the word
    counts: known ? unpacked(data.counts, Float64Array) : null,
    x: unpacked(data.x, Uint16Array),
    y: unpacked(data.y, Uint16Array),
    near: data.near, // how many neighbours each word has
    neighbours: unpacked(data.neighbours, n > WORLD ? Uint32Array : Uint16Array), // [n * near]
    cosines: unpacked(data.cosines, Uint8Array), // [n * near], (cosine + 1) * 100
    groups: data.groups === null ? null : unpacked(data.groups, Uint8Array),
    groupNames: data.groupNames,
    groupColours: data.groupColours,
  };
}

// Control characters, those that turn the direction of text, and white space at the ends are written out.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|^\s|\s$/gu;

function visible(word) {
  return word.replace(INVISIBLE, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function about(data, i) {
  const rank = data.ranks[i] < 0 ? "not in the vocabulary" : "rank " + (data.ranks[i] + 1).toLocaleString("en");
  const count = data.counts && data.ranks[i] >= 0 ? data.counts[i].toLocaleString("en") + " times, " : "";
  return count + rank;
}
