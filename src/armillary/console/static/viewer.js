// The picture of a file, drawn from tiles of values (/v1/files/NAME/tiles): the stretch is chosen here, and the value
// and the position under the pointer are known. Without this script the preview stays in its place.

const TYPES = { uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };
const AT_ONCE = 6; // Requests; browsers allow as many connections to a host.
const MOST_TILES = 240; // Of 64 k values; that many are seen at once on a large screen.
const MOST_ZOOM = 64;
const AGAIN_MS = 3000;
const REST_MS = 120; // So long the pointer rests before the full size under it is fetched for its value.
const LIMITS = { zscale: "zscale", minmax: "min to max", p99: "99 %", p98: "98 %", p90: "90 %" };
const CURVES = { linear: (v) => v, asinh: (v) => Math.asinh(10 * v) / Math.asinh(10), sqrt: Math.sqrt, log: (v) => Math.log10(1 + 999 * v) / 3 };
const HELP = "Picture. Arrow keys move, + and − zoom, 0 shows all of it, 1 shows pixels as they are, i inverts.";

function make(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function labelled(text, field) {
  return make("label", { class: "viewer-field" }, make("span", {}, text), field);
}

function options(select, choices, chosen) {
  select.replaceChildren(...Object.entries(choices).map(([value, text]) => new Option(text, value, false, value === chosen)));
}

// Positions ---------------------------------------------------------------------------------------------------------

function vector(ra, dec) {
  const [a, d] = [(ra * Math.PI) / 180, (dec * Math.PI) / 180];
  return [Math.cos(d) * Math.cos(a), Math.cos(d) * Math.sin(a), Math.sin(d)];
}

function cell(places, at) {
  const step = (places[places.length - 1] - places[0]) / (places.length - 1);
  return Math.min(Math.max(Math.floor((at - places[0]) / step), 0), places.length - 2);
}

// The position of a pixel as FITS counts it, between four of the grid; null where there is no sky.
export function position(sky, x, y) {
  if (!sky) return null;
  const [column, row] = [cell(sky.x, x), cell(sky.y, y)];
  const along = (x - sky.x[column]) / (sky.x[column + 1] - sky.x[column]);
  const up = (y - sky.y[row]) / (sky.y[row + 1] - sky.y[row]);
  const sum = [0, 0, 0];
  for (const [above, right] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
    const [ra, dec] = [sky.ra[row + above][column + right], sky.dec[row + above][column + right]];
    if (ra === null) return null;
    const weight = (above ? up : 1 - up) * (right ? along : 1 - along);
    vector(ra, dec).forEach((part, axis) => (sum[axis] += weight * part));
  }
  const ra = (Math.atan2(sum[1], sum[0]) * 180) / Math.PI;
  return { ra: (ra + 360) % 360, dec: (Math.atan2(sum[2], Math.hypot(sum[0], sum[1])) * 180) / Math.PI };
}

export function sexagesimal(value, digits) {
  const scale = 10 ** digits;
  let whole = Math.round(Math.abs(value) * 3600 * scale);
  const seconds = (whole % (60 * scale)) / scale;
  whole = Math.floor(whole / (60 * scale));
  const pad = (number) => String(number).padStart(2, "0");
  return `${pad(Math.floor(whole / 60))}:${pad(whole % 60)}:${seconds.toFixed(digits).padStart(3 + digits, "0")}`;
}

function told(place) {
  const hours = sexagesimal((place.ra / 15) % 24, 2).replace(/^24/, "00");
  return [`${hours} ${place.dec < 0 ? "−" : "+"}${sexagesimal(place.dec, 1)}`, `${place.ra.toFixed(6)}° ${place.dec.toFixed(6)}°`];
}

// Tiles -------------------------------------------------------------------------------------------------------------

class Tiles {
  constructor(url, data, hdu, news) {
    Object.assign(this, { url, data, hdu, news, known: new Map(), running: new Set(), wanted: [] });
  }

  get(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const found = this.known.get(key);
    if (found) {
      this.known.delete(key);
      this.known.set(key, found);
    }
    return found;
  }

  // Fetch these, the first ones first; what is under way comes to its end, and nothing else is begun.
  want(keys) {
    this.wanted = keys.filter((key) => !this.known.has(key) && !this.running.has(key));
    this.next();
  }

  next() {
    while (this.wanted.length && this.running.size < AT_ONCE) this.fetch(this.wanted.shift());
  }

  async fetch(key) {
    this.running.add(key);
    try {
      const reply = await fetch(`${this.url}/${this.hdu}/${key}?data=${this.data}`, { credentials: "same-origin" });
      if (reply.ok) this.keep(key, await decoded(reply));
      else this.later(key, reply.status);
      this.news(reply.status);
    } catch {
      this.later(key, 0);
    } finally {
      this.running.delete(key);
      this.next();
    }
  }

  // A tile that did not come is asked for again, but not at once.
  later(key, failed) {
    this.keep(key, { failed });
    setTimeout(() => {
      if (this.known.get(key)?.failed === failed && this.known.delete(key)) this.news(failed);
    }, AGAIN_MS);
  }

  keep(key, tile) {
    this.known.set(key, tile);
    for (const old of this.known.keys()) {
      if (this.known.size <= MOST_TILES) break;
      this.known.delete(old);
    }
  }

  close() {
    this.want([]);
    this.known.clear();
  }
}

async function decoded(reply) {
  const [kind, width, height] = reply.headers.get("Armillary-Tile").split(" ");
  const [scale, zero] = ["Scale", "Zero"].map((name) => Number(reply.headers.get(`Armillary-${name}`)));
  const blank = reply.headers.get("Armillary-Blank");
  const content = await reply.arrayBuffer();
  const numbers = content.byteLength ? new TYPES[kind](content) : null;
  return { width: Number(width), height: Number(height), numbers, scale, zero, blank: blank === null ? null : Number(blank) };
}

function valueIn(tile, x, y) {
  if (!tile.numbers) return NaN;
  const number = tile.numbers[y * tile.width + x];
  return number === tile.blank ? NaN : tile.zero + tile.scale * number;
}

// The shades of a tile, drawn once for a stretch; the first row of values is the lowest.
function shaded(tile, stretch) {
  if (tile.stretch === stretch.key) return tile.canvas;
  const { width, height, numbers, scale, zero, blank } = tile;
  const canvas = (tile.canvas ??= Object.assign(document.createElement("canvas"), { width, height }));
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const span = stretch.high - stretch.low;
  for (let y = 0, at = 0; numbers && y < height; y++) {
    for (let x = 0, to = (height - 1 - y) * width; x < width; x++, at++, to++) {
      const number = numbers[at];
      const part = span > 0 ? (zero + scale * number - stretch.low) / span : 0.5;
      if (number === blank || !(part === part)) continue;
      const shade = stretch.shades[part <= 0 ? 0 : part >= 1 ? 1023 : Math.floor(part * 1023)];
      pixels[to] = 0xff000000 | (shade << 16) | (shade << 8) | shade;
    }
  }
  context.putImageData(image, 0, 0);
  tile.stretch = stretch.key;
  return canvas;
}

// The viewer --------------------------------------------------------------------------------------------------------

class Viewer {
  constructor(section) {
    this.section = section;
    this.url = section.dataset.url;
    this.fallback = section.querySelector("img");
    const asked = new URLSearchParams(location.search);
    this.limits = asked.get("limits") in LIMITS ? asked.get("limits") : "zscale";
    this.curve = asked.get("curve") in CURVES ? asked.get("curve") : "linear";
    this.inverted = asked.get("invert") === "1";
    this.first = { hdu: Number(asked.get("image") ?? -1), zoom: Number(asked.get("zoom")), x: Number(asked.get("x")), y: Number(asked.get("y")) };
    this.pointers = new Map();
    this.build();
    this.load(1000);
  }

  build() {
    this.hduField = make("select");
    this.limitsField = make("select");
    this.curveField = make("select");
    this.invertField = make("input", { type: "checkbox" });
    options(this.limitsField, LIMITS, this.limits);
    options(this.curveField, Object.fromEntries(Object.keys(CURVES).map((name) => [name, name])), this.curve);
    this.invertField.checked = this.inverted;
    const button = (text, title, act) => {
      const made = make("button", { type: "button", title, "aria-label": title }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.tools = make(
      "div", { class: "viewer-tools" },
      labelled("Image", this.hduField), labelled("Limits", this.limitsField), labelled("Curve", this.curveField), labelled("Invert", this.invertField),
      make("span", { class: "viewer-zoom" },
        button("−", "Zoom out", () => this.zoomBy(0.5)), button("+", "Zoom in", () => this.zoomBy(2)),
        button("Fit", "Fit the image into view", () => this.fit()), button("1:1", "1:1, pixels as they are", () => this.zoomBy(1 / this.zoom))),
    );
    this.canvas = make("canvas", { class: "viewer-canvas", tabindex: "0", role: "application", "aria-label": HELP });
    this.readout = make("p", { class: "viewer-readout" });
    this.message = make("p", { class: "viewer-message", role: "status" });
    this.stage = make("div", { class: "viewer-stage" }, this.canvas);
    this.section.append(this.message, this.tools, this.stage, this.readout);
    this.show(false);
    this.hduField.addEventListener("change", () => this.open(Number(this.hduField.value)));
    for (const [field, name] of [[this.limitsField, "limits"], [this.curveField, "curve"]]) {
      field.addEventListener("change", () => { this[name] = field.value; this.restretch(); });
    }
    this.invertField.addEventListener("change", () => { this.inverted = this.invertField.checked; this.restretch(); });
    this.listen();
    new ResizeObserver(() => this.resized()).observe(this.stage);
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    });
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("dblclick", (event) => this.zoomBy(2, event.offsetX, event.offsetY));
    canvas.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.pending) this.load(1000); });
  }

  // The index; it is asked for again as long as tiles are being prepared, or the server is away.
  async load(pause) {
    clearTimeout(this.timer);
    this.pending = false;
    let index = null;
    try {
      const reply = await fetch(this.url, { credentials: "same-origin", headers: { Accept: "application/json" } });
      if (reply.ok) index = await reply.json();
      else if (reply.status < 500 && reply.status !== 429) return this.say((await reply.json()).detail ?? "There is no image to zoom into.");
    } catch { /* It is tried again. */ }
    if (index) this.indexed(index);
    else this.say("The server does not answer; trying again.");
    if (index && !index.pending) return;
    this.pending = true;
    if (!document.hidden) this.timer = setTimeout(() => this.load(Math.min(pause * 1.5, 10_000)), pause);
  }

  indexed(index) {
    this.index = index;
    const names = index.images.map((one) => {
      const name = one.name ? ` ${one.name}${one.extver > 1 ? `,${one.extver}` : ""}` : "";
      return [one.hdu, `[${one.hdu}]${name} ${one.width} × ${one.height}${one.ready ? "" : " –"}`];
    });
    const ready = index.images.filter((one) => one.ready);
    if (this.image) return;
    options(this.hduField, Object.fromEntries(names));
    if (!ready.length) return this.say(index.reason);
    const chosen = ready.find((one) => one.hdu === this.first.hdu) ?? ready[0];
    this.open(chosen.hdu);
  }

  async open(hdu) {
    this.hduField.value = hdu;
    const image = this.index.images.find((one) => one.hdu === hdu);
    if (!image.ready) return this.say(image.reason);
    const reply = await fetch(`${this.url}/${hdu}`, { credentials: "same-origin" }).catch(() => null);
    if (!reply?.ok) return this.say("The image cannot be opened now; try again.");
    const { statistics, unit } = await reply.json();
    this.tiles?.close();
    Object.assign(this, { image, statistics, unit, sky: null, tiles: new Tiles(this.url, this.index.data, hdu, (status) => this.arrived(status)) });
    this.show(true);
    this.say(statistics ? "" : "No pixel of this image has a value.");
    const { zoom, x, y } = this.first;
    this.first = {};
    this.resized();
    this.restretch();
    if (zoom > 0) Object.assign(this, { zoom: this.bounded(zoom), x, y });
    else this.fit();
    this.draw();
    this.locate(image);
  }

  // Positions come after the picture: finding them may take a second.
  async locate(image) {
    const reply = await fetch(`${this.url}/${image.hdu}/sky`, { credentials: "same-origin" }).catch(() => null);
    if (!reply?.ok || this.image !== image) return;
    this.sky = (await reply.json()).sky;
    if (this.pointed) this.tell();
  }

  show(on) {
    for (const one of [this.tools, this.stage, this.readout]) one.hidden = !on;
    if (this.fallback) this.fallback.hidden = on;
  }

  say(text) {
    this.message.textContent = text ?? "";
    this.message.hidden = !text;
  }

  arrived(status) {
    if (status === 409) location.reload();
    this.draw();
    if (this.pointed) this.tell();
  }

  restretch() {
    const found = this.statistics;
    const [low, high] = found ? this.between(found) : [0, 1];
    const curve = CURVES[this.curve];
    const shades = Uint8Array.from({ length: 1024 }, (_, at) => Math.round(255 * curve(at / 1023)));
    if (this.inverted) shades.forEach((shade, at) => (shades[at] = 255 - shade));
    this.stretch = { low, high, shades, key: [low, high, this.curve, this.inverted].join() };
    this.draw();
  }

  between({ low, high, percentiles, zscale }) {
    const last = percentiles.length - 1;
    const places = { p99: 0, p98: 1, p90: 2 };
    if (this.limits in places) return [percentiles[places[this.limits]], percentiles[last - places[this.limits]]];
    return this.limits === "zscale" && zscale[1] > zscale[0] ? zscale : [low, high];
  }

  // Where things are: x and y count pixels from the lower left corner of the image, zoom is pixels of the page for each.

  resized() {
    if (!this.image || !this.stage.clientWidth) return;
    this.ratio = window.devicePixelRatio || 1;
    const fitted = this.zoom && Math.abs(this.zoom / this.fitting() - 1) < 0.001;
    [this.width, this.height] = [this.stage.clientWidth, this.stage.clientHeight];
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
    if (fitted) this.fit();
    this.draw();
  }

  fitting() {
    return Math.min(this.width / this.image.width, this.height / this.image.height);
  }

  bounded(zoom) {
    return Math.min(Math.max(zoom, Math.min(this.fitting() / 2, 1)), MOST_ZOOM);
  }

  fit() {
    Object.assign(this, { zoom: this.fitting(), x: this.image.width / 2, y: this.image.height / 2 });
    this.draw();
  }

  at(across, down) {
    return [this.x + (across - this.width / 2) / this.zoom, this.y - (down - this.height / 2) / this.zoom];
  }

  zoomBy(factor, across = this.width / 2, down = this.height / 2) {
    const [x, y] = this.at(across, down);
    this.zoom = this.bounded(this.zoom * factor);
    this.panTo(x - (across - this.width / 2) / this.zoom, y + (down - this.height / 2) / this.zoom);
  }

  panTo(x, y) {
    this.x = Math.min(Math.max(x, 0), this.image.width);
    this.y = Math.min(Math.max(y, 0), this.image.height);
    this.draw();
  }

  moved(event) {
    const here = [event.offsetX, event.offsetY];
    const before = this.pointers.get(event.pointerId);
    if (before && this.pointers.size === 1) this.panTo(this.x - (here[0] - before[0]) / this.zoom, this.y + (here[1] - before[1]) / this.zoom);
    if (before && this.pointers.size === 2) {
      const [, other] = [...this.pointers].find(([id]) => id !== event.pointerId);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
      this.zoomBy(apart(here) / apart(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    }
    if (before) this.pointers.set(event.pointerId, here);
    this.point(this.at(...here));
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (event.shiftKey ? 4 : 1) * Math.max(60 / this.zoom, 1);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const acts = { "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5), 0: () => this.fit(), 1: () => this.zoomBy(1 / this.zoom), i: () => this.invertField.click() };
    if (event.key in moves) this.panTo(this.x + moves[event.key][0] * step, this.y + moves[event.key][1] * step);
    else if (event.key in acts) acts[event.key]();
    else return;
    event.preventDefault();
    // Without a pointer, what is told is of the centre.
    this.point([Math.min(this.x, this.image.width - 0.5), Math.min(this.y, this.image.height - 0.5)]);
  }

  draw() {
    if (this.drawing || !this.tiles) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      this.paint();
      this.remember();
    });
  }

  paint() {
    const { image, zoom, ratio } = this;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const level = Math.min(Math.max(Math.floor(-Math.log2(zoom * ratio) + 0.35), image.finest), image.coarsest);
    const [left, top] = this.at(0, 0);
    const [right, bottom] = this.at(this.width, this.height);
    const wanted = [];
    for (let one = image.coarsest; one >= level; one--) {
      const side = 256 * 2 ** one;
      const most = [Math.ceil(image.width / side) - 1, Math.ceil(image.height / side) - 1];
      context.imageSmoothingEnabled = zoom * 2 ** one < 1;
      for (let row = Math.max(Math.floor(bottom / side), 0); row <= Math.min(Math.floor(top / side), most[1]); row++) {
        for (let column = Math.max(Math.floor(left / side), 0); column <= Math.min(Math.floor(right / side), most[0]); column++) {
          const tile = this.tiles.get(one, column, row);
          if (tile?.width) this.place(context, tile, one, column, row);
          if (one === level || one === image.coarsest) wanted.push([one, column, row, Math.hypot((column + 0.5) * side - this.x, (row + 0.5) * side - this.y)]);
        }
      }
    }
    // The whole at first, then from the centre outwards.
    wanted.sort((a, b) => (b[0] === image.coarsest) - (a[0] === image.coarsest) || a[3] - b[3]);
    this.seen = wanted.map(([one, column, row]) => `${one}/${column}/${row}`);
    this.tiles.want(this.exact ? [...this.seen, this.exact] : this.seen);
    this.level = level;
  }

  place(context, tile, level, column, row) {
    const [side, size] = [256 * 2 ** level, 2 ** level];
    // Edges lie on whole pixels of the screen, or else tiles would have seams.
    const whole = (value) => Math.round(value * this.ratio) / this.ratio;
    const x = (pixel) => whole((Math.min(pixel, this.image.width) - this.x) * this.zoom + this.width / 2);
    const y = (pixel) => whole(this.height / 2 - (Math.min(pixel, this.image.height) - this.y) * this.zoom);
    const [from, to] = [x(column * side), x(column * side + tile.width * size)];
    const [above, below] = [y(row * side + tile.height * size), y(row * side)];
    context.drawImage(shaded(tile, this.stretch), from, above, to - from, below - above);
  }

  // What is under the pointer.

  point(place) {
    this.pointed = place;
    clearTimeout(this.resting);
    if (!place) return;
    this.tell();
    const [x, y] = place.map(Math.floor);
    const inside = x >= 0 && y >= 0 && x < this.image.width && y < this.image.height;
    if (!inside || this.level === 0 || this.image.finest > 0) return;
    this.resting = setTimeout(() => {
      this.exact = `0/${x >> 8}/${y >> 8}`;
      this.tiles.want([...(this.seen ?? []), this.exact]);
    }, REST_MS);
  }

  tell() {
    const [x, y] = this.pointed.map(Math.floor);
    if (x < 0 || y < 0 || x >= this.image.width || y >= this.image.height) return void (this.readout.textContent = "");
    const parts = [`x ${x + 1}  y ${y + 1}`, this.worth(x, y)];
    // FITS has the centre of the first pixel at 1, and here its corner is at 0.
    const place = position(this.sky, this.pointed[0] + 0.5, this.pointed[1] + 0.5);
    if (place) parts.push(...told(place));
    this.readout.replaceChildren(...parts.map((part) => make("span", {}, part)));
  }

  worth(x, y) {
    for (let level = this.image.finest; level <= this.image.coarsest; level++) {
      const tile = this.tiles.get(level, x >> (8 + level), y >> (8 + level));
      if (!tile?.width) continue;
      const value = valueIn(tile, (x >> level) & 255, (y >> level) & 255);
      const text = Number.isNaN(value) ? "no value" : `${Number(value.toPrecision(7))} ${this.unit}`.trim();
      return level ? `${text} (mean of ${2 ** level} × ${2 ** level})` : text;
    }
    return "…";
  }

  // The address says what is seen, so that it can be kept and passed on; `hdu` there is the one whose cards are shown.
  remember() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      const url = new URL(location.href);
      const fitted = Math.abs(this.zoom / this.fitting() - 1) < 0.001;
      const view = fitted ? {} : { zoom: Number(this.zoom.toPrecision(5)), x: this.x.toFixed(1), y: this.y.toFixed(1) };
      const kept = { image: this.image.hdu, limits: this.limits, curve: this.curve, invert: this.inverted ? 1 : null, zoom: null, x: null, y: null, ...view };
      for (const [name, value] of Object.entries(kept)) value === null ? url.searchParams.delete(name) : url.searchParams.set(name, value);
      if (url.href !== location.href) history.replaceState(history.state, "", url);
    }, 250);
  }
}

for (const section of document.querySelectorAll("[data-viewer]")) section.viewer = new Viewer(section);
