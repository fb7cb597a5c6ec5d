// The viewer: all operations, faults and messages of a run on one canvas, of which only what is in sight is drawn.
// `reports/viewer.py` says what there is to draw. Where this script or a browser's DecompressionStream is missing,
// the drawing around the witness stays, which is part of the page.

const AXIS = 18, FAULT_ROW = 15, LANE = 26, BAR = 18, MACHINE = 30, LETTER = 6.63, MAP = 34;
const FONT = '11px ui-monospace, "DejaVu Sans Mono", monospace';
const LEAST_ZOOM = 0.4; // At which labels of operations can still be read.
const NAME_FONT = '600 12px system-ui, "DejaVu Sans", sans-serif';
const MANY_LANES = 12;
const ENDS = ["ok", "fail", "info"];

async function unpack(text) {
  const raw = atob(text);
  const packed = new Uint8Array(raw.length);
  for (let n = 0; n < raw.length; n++) packed[n] = raw.charCodeAt(n);
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(plain).arrayBuffer());
  let at = 0;
  const number = () => {
    let byte = bytes[at++];
    if (byte < 128) return byte & 1 ? -((byte + 1) >> 1) : byte >> 1;
    let value = byte & 127, scale = 128;
    do {
      byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const size = number();
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(at, at + size)));
  at += size;
  const column = (count, isDelta = false) => {
    const values = new Float64Array(count);
    let last = 0;
    for (let n = 0; n < count; n++) {
      const value = number();
      values[n] = isDelta ? (last += value) : value;
    }
    return values;
  };
  const { count, messages, events } = header;
  const view = { ...header, start: column(count, true) };
  for (const name of ["length", "lane", "process", "type", "f", "keyset", "node", "asked", "answered", "error"])
    view[name] = column(count);
  view.index = column(count, true);
  view.sent = column(messages, true);
  for (const name of ["took", "from", "to", "words"]) view[name] = column(messages);
  view.eventTime = column(events, true);
  view.eventMachine = column(events);
  view.eventWords = column(events);
  view.end = view.start.map((start, n) => (view.length[n] < 0 ? Infinity : start + view.length[n]));
  return view;
}

// The axis: places in pixels at zoom 1 for times, either even or stretched where much happens.
class Axis {
  constructor(times, isStretched) {
    this.isStretched = isStretched;
    this.times = times.length ? times : Float64Array.of(0, 1);
    const last = this.times.length - 1;
    if (!isStretched) {
      this.begin = this.times[0];
      this.perPixel = Math.max(1e-6, (this.times[last] - this.begin) / Math.max(800, last * 12));
      this.length = (this.times[last] - this.begin) / this.perPixel;
      return;
    }
    const gaps = new Float64Array(last);
    for (let n = 0; n < last; n++) gaps[n] = this.times[n + 1] - this.times[n];
    const usual = gaps.sort()[last >> 1] || 1;
    this.places = new Float64Array(this.times.length);
    for (let n = 1; n <= last; n++) {
      const gap = this.times[n] - this.times[n - 1];
      this.places[n] = this.places[n - 1] + Math.min(48, Math.max(7, (14 * gap) / usual));
    }
    this.length = this.places[last] || 1;
  }
  place(time) {
    if (!this.isStretched) return (time - this.begin) / this.perPixel;
    const [low, part] = this.between(this.times, time);
    return this.places[low] + part * ((this.places[low + 1] ?? this.places[low]) - this.places[low]);
  }
  time(place) {
    if (!this.isStretched) return this.begin + place * this.perPixel;
    const [low, part] = this.between(this.places, place);
    return this.times[low] + part * ((this.times[low + 1] ?? this.times[low]) - this.times[low]);
  }
  between(values, wanted) {
    const low = Math.max(0, upper(values, wanted) - 1);
    const span = (values[low + 1] ?? values[low]) - values[low];
    return [low, span > 0 ? Math.min(1, Math.max(0, (wanted - values[low]) / span)) : 0];
  }
}

// How many of some ascending values are not above `wanted`.
function upper(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

const cut = (text, letters) => (text.length <= letters ? text : letters < 2 ? "" : text.slice(0, letters - 1) + "…");

class Viewer {
  constructor(root, view) {
    this.root = root;
    this.v = view;
    this.canvas = root.querySelector("canvas.lanes");
    this.map = root.querySelector("canvas.map");
    this.pick = root.querySelector(".pick");
    this.isMarked = new Set(view.witness);
    this.faults = view.faults.map((fault, n) => ({ ...fault, n, row: 0 }));
    this.second = view.timed ? 1e9 / view.unit : 1;
    this.zoom = 1;
    this.left = 0;
    this.top = 0;
    this.picked = this.pickedMessage = -1;
    this.isStretched = view.timed;
    this.showsMessages = view.messages + view.events > 0;
    this.order = view.orders.find((order) => order.blocked !== null) ?? (view.orders.length === 1 ? view.orders[0] : null);
    this.filters = { key: -1, process: -1, node: -1, f: -1, type: -1, text: "", from: -Infinity, to: Infinity };
    this.rowFaults();
    this.gutter = this.measureGutter();
    this.buildTools();
    this.readColours();
    this.select();
    this.listen();
    this.showWitness();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.readColours(), this.draw()));
  }

  rowFaults() {
    const free = [];
    for (const fault of this.faults) {
      let row = free.findIndex((until) => until <= fault.start);
      if (row < 0) row = free.length;
      free[row] = fault.end ?? Infinity;
      fault.row = Math.min(row, 7);
    }
    this.faultRows = Math.min(free.length, 8);
  }

  // The width of the names of lanes.
  measureGutter() {
    const paper = this.canvas.getContext("2d");
    paper.font = NAME_FONT;
    const widths = [...this.v.lanes.slice(-200), ...this.v.machines].map((name) => paper.measureText(name).width);
    return Math.min(130, Math.max(64, ...widths) + 16);
  }

  readColours() {
    const style = getComputedStyle(this.root);
    this.colours = new Proxy({}, { get: (known, name) => (known[name] ??= style.getPropertyValue("--" + name).trim() || "#888") });
    const probe = document.createElement("i");
    this.root.append(probe);
    for (const fault of this.faults) {
      probe.className = fault.style;
      fault.colour = getComputedStyle(probe).getPropertyValue("--fault").trim() || "#888";
    }
    probe.remove();
  }

  // What is shown: the operations that pass all filters, and the lanes and instants that they need.
  select() {
    const { v, filters } = this;
    const wanted = filters.text.toLowerCase();
    const fitting = wanted ? new Set(v.texts.flatMap((text, n) => (text.toLowerCase().includes(wanted) ? [n] : []))) : null;
    const hasKey = filters.key < 0 ? null : v.keysets.map((set) => set.includes(filters.key));
    const shown = [];
    for (let n = 0; n < v.count; n++) {
      if (filters.type >= 0 && v.type[n] !== filters.type) continue;
      if (filters.f >= 0 && v.f[n] !== filters.f) continue;
      if (filters.process >= 0 && v.process[n] !== filters.process) continue;
      if (filters.node >= 0 && v.node[n] !== filters.node) continue;
      if (hasKey && !hasKey[v.keyset[n]]) continue;
      if (v.start[n] > filters.to || v.end[n] < filters.from) continue;
      if (fitting && !fitting.has(v.asked[n]) && !fitting.has(v.answered[n]) && !fitting.has(v.error[n])) continue;
      shown.push(n);
    }
    this.shown = shown;
    this.isShown = new Uint8Array(v.count);
    for (const n of shown) this.isShown[n] = 1;
    const opsOf = v.lanes.map(() => []);
    for (const n of shown) opsOf[v.lane[n]].push(n);
    // Of many lanes, those of the witness come first, so that it is seen in one piece.
    const first = v.lanes.length > MANY_LANES ? new Set(v.witness.slice(0, 40).map((n) => v.lane[n])) : new Set();
    const inOrder = [...first].sort((a, b) => a - b);
    for (let lane = 0; lane < v.lanes.length; lane++) if (!first.has(lane)) inOrder.push(lane);
    this.lanes = [];
    this.laneOf = new Map();
    for (const lane of inOrder) {
      if (!opsOf[lane].length) continue;
      this.laneOf.set(lane, this.lanes.length);
      this.lanes.push({ name: v.lanes[lane], ops: opsOf[lane] });
    }
    let many = 0;
    const times = new Float64Array(2 * (shown.length + v.messages + this.faults.length) + v.events);
    const add = (time) => (times[many++] = time);
    for (const n of shown) {
      add(v.start[n]);
      if (v.end[n] < Infinity) add(v.end[n]);
    }
    this.marks = [];
    if (this.showsMessages) {
      for (let n = 0; n < v.messages; n++)
        if (v.sent[n] >= filters.from && v.sent[n] <= filters.to && this.fitsNode(v.from[n], v.to[n])) {
          this.marks.push(n);
          add(v.sent[n]);
          if (v.took[n] >= 0) add(v.sent[n] + v.took[n]);
        }
      for (const time of v.eventTime) if (time >= filters.from && time <= filters.to) add(time);
    }
    for (const fault of this.faults)
      for (const edge of [fault.start, fault.end])
        if (edge !== null && edge >= filters.from && edge <= filters.to) add(edge);
    const sorted = times.subarray(0, many).sort();
    let different = 0;
    for (let n = 0; n < many; n++) if (n === 0 || sorted[n] !== sorted[n - 1]) sorted[different++] = sorted[n];
    this.times = sorted.slice(0, different);
    this.longest = this.lanes.map(({ ops }) => ops.reduce((most, n) => Math.max(most, v.length[n]), 0));
    this.makeAxis();
    this.count.textContent =
      shown.length === v.count ? v.count.toLocaleString("en") + " operations" : shown.length.toLocaleString("en") + " of " + v.count.toLocaleString("en") + " operations";
  }

  fitsNode(from, to) {
    if (this.filters.node < 0) return true;
    const name = this.v.nodes[this.filters.node];
    return this.v.machines[from] === name || this.v.machines[to] === name;
  }

  makeAxis() {
    this.axis = new Axis(this.times, this.isStretched);
    const { v, axis } = this;
    this.startAt = new Float64Array(v.count);
    this.endAt = new Float64Array(v.count).fill(Infinity);
    for (const n of this.shown) {
      this.startAt[n] = axis.place(v.start[n]);
      if (v.end[n] < Infinity) this.endAt[n] = axis.place(v.end[n]);
    }
    this.typicalPace = undefined;
    this.points = new Map();
    if (this.order === null) return;
    let latest = -Infinity;
    this.order.ops.forEach((n, at) => {
      latest = Math.max(latest, this.v.start[n]);
      this.points.set(n, [latest, at + 1]);
    });
  }

  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }
  get head() { return AXIS + this.faultRows * FAULT_ROW + 4; }
  get machines() { return this.showsMessages ? this.v.machines : []; }
  get whole() { return this.head + this.lanes.length * LANE + (this.machines.length ? 10 + this.machines.length * MACHINE : 0) + 6; }

  at(place) { return this.gutter + (place - this.left) * this.zoom; }
  x(time) { return this.gutter + (this.axis.place(time) - this.left) * this.zoom; }
  y(lane) { return this.head + lane * LANE - this.top; }
  machineY(machine) { return this.head + this.lanes.length * LANE + 10 + machine * MACHINE + MACHINE / 2 - this.top; }
  timeAt(x) { return this.axis.time((x - this.gutter) / this.zoom + this.left); }

  clamp() {
    const room = Math.max(60, this.width - this.gutter - 50);
    this.zoom = Math.min(this.isStretched ? 12 : 4000, Math.max(Math.min(this.isStretched ? 8 : 4000, room / this.axis.length), this.zoom));
    this.left = Math.max(-4 / this.zoom, Math.min(this.axis.length - room / this.zoom, this.left));
    if (this.axis.length * this.zoom <= room) this.left = -4 / this.zoom;
    this.top = Math.max(0, Math.min(this.whole - this.height, this.top));
  }

  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.paint();
    });
  }

  prepared(canvas) {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const paper = canvas.getContext("2d");
    paper.setTransform(ratio, 0, 0, ratio, 0, 0);
    paper.clearRect(0, 0, width, height);
    paper.font = FONT;
    paper.textBaseline = "middle";
    return paper;
  }

  paint() {
    const height = Math.min(Math.max(170, this.whole), Math.max(300, Math.round(innerHeight * 0.72)));
    if (this.canvas.style.height !== height + "px") this.canvas.style.height = height + "px";
    this.clamp();
    const p = this.prepared(this.canvas), c = this.colours;
    const { width, gutter, head } = this;
    this.hits = [];
    p.save();
    p.beginPath();
    p.rect(gutter, head, width - gutter, height - head);
    p.clip();
    this.paintGrid(p, height);
    this.paintFaults(p, height, true);
    this.paintLanes(p);
    if (this.machines.length) this.paintMachines(p);
    if (this.order) this.paintOrder(p);
    p.restore();
    p.save();
    p.beginPath();
    p.rect(gutter, 0, width - gutter, head);
    p.clip();
    this.paintTicks(p);
    this.paintFaults(p, height, false);
    p.restore();
    this.paintNames(p, height);
    p.strokeStyle = c.line;
    p.strokeRect(gutter + 0.5, head + 0.5, width - gutter, height);
    this.paintMap();
  }

  ticks() {
    const found = [];
    const { width, gutter } = this;
    if (this.isStretched) {
      const { places } = this.axis;
      const after = (place) => upper(places, place - 1e-9);
      for (let n = after(this.left); n < places.length && this.at(places[n]) < width; n = after(places[n] + 96 / this.zoom))
        found.push([this.at(places[n]), this.times[n]]);
      return found;
    }
    const least = (110 / this.zoom) * this.axis.perPixel;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = Math.max(this.v.timed ? 1e-3 : 1, [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= least));
    for (let time = Math.ceil(this.timeAt(gutter) / step) * step; this.x(time) < width; time += step)
      if (this.x(time) >= gutter) found.push([this.x(time), time]);
    return found;
  }

  instant(time) {
    if (!this.v.timed) return "op " + Math.round(time);
    return (time / this.second).toFixed(this.axis.isStretched || this.axis.perPixel / this.zoom < this.second / 1e4 ? 4 : 2) + " s";
  }

  paintTicks(p) {
    p.fillStyle = this.colours.soft;
    p.textAlign = "center";
    for (const [x, time] of this.ticks()) p.fillText(this.instant(time), x, 9);
    p.textAlign = "left";
  }

  paintGrid(p, height) {
    p.strokeStyle = this.colours.grid;
    p.beginPath();
    for (const [x] of this.ticks()) {
      p.moveTo(Math.round(x) + 0.5, this.head);
      p.lineTo(Math.round(x) + 0.5, height);
    }
    p.stroke();
    if (!this.isStretched || this.zoom < 0.2) return;
    // Long waits that are drawn short are hatched: there, equal widths are unequal times.
    const { times, places } = this.axis;
    const from = Math.max(1, upper(places, this.left));
    const typical = this.typicalPace ??= this.pace();
    p.strokeStyle = this.colours.line;
    p.beginPath();
    for (let n = from; n < times.length; n++) {
      const [begin, end] = [this.at(places[n - 1]), this.at(places[n])];
      if (begin > this.width) break;
      if ((times[n] - times[n - 1]) / (places[n] - places[n - 1]) < 6 * typical || end - begin < 12) continue;
      for (let x = begin + 4; x < end - 3; x += 7) {
        p.moveTo(x, this.head + 2);
        p.lineTo(x + 5, this.head + 9);
      }
    }
    p.stroke();
  }

  pace() {
    const { times, places } = this.axis;
    const paces = Float64Array.from({ length: Math.max(0, times.length - 1) }, (_, n) => (times[n + 1] - times[n]) / (places[n + 1] - places[n])).sort();
    return paces[paces.length >> 1] || 1;
  }

  paintFaults(p, height, isShade) {
    const { width, gutter } = this;
    for (const fault of this.faults) {
      const begin = Math.max(gutter - 2, this.x(fault.start));
      const end = fault.end === null ? width : Math.min(width, this.x(fault.end));
      if (end < gutter || begin > width) continue;
      const wide = Math.max(3, end - begin), y = AXIS + fault.row * FAULT_ROW;
      p.fillStyle = fault.colour;
      if (isShade) {
        p.globalAlpha = 0.08;
        p.fillRect(begin, this.head, wide, height);
        p.globalAlpha = 0.28;
        for (const name of fault.nodes) {
          const machine = this.machines.indexOf(name);
          if (machine >= 0) p.fillRect(begin, this.machineY(machine) - 6, wide, 12);
        }
        p.globalAlpha = 1;
        continue;
      }
      p.globalAlpha = 0.32;
      p.fillRect(begin, y, wide, FAULT_ROW - 2);
      p.globalAlpha = 1;
      p.fillStyle = this.colours.ink;
      p.fillText(cut(fault.label, Math.floor((wide - 8) / LETTER)), begin + 4, y + 6.5);
      this.hits.push([begin, y, wide, FAULT_ROW, "fault", fault.n]);
    }
  }

  paintLanes(p) {
    const { v, width, height, gutter, colours: c } = this;
    p.strokeStyle = c.line;
    p.beginPath();
    this.lanes.forEach((_, lane) => {
      const y = Math.round(this.y(lane)) + LANE - 2.5;
      if (y < this.head || y > height) return;
      p.moveTo(gutter, y);
      p.lineTo(width, y);
    });
    p.stroke();
    const [from, to] = [this.timeAt(gutter), this.timeAt(width)];
    this.lanes.forEach(({ ops }, lane) => {
      const y = this.y(lane) + 2;
      if (y + LANE < this.head || y > height) return;
      // Begin with the first operation that may still be under way; what never ended is faded out by then.
      let at = this.firstFrom(ops, (n) => v.start[n] >= from - this.longest[lane]);
      while (at < ops.length && v.start[ops[at]] <= to) {
        const n = ops[at++];
        const begin = this.at(this.startAt[n]);
        if (v.end[n] < from) continue;
        const next = at < ops.length ? this.at(this.startAt[ops[at]]) : Infinity;
        const wide = this.widthOf(n);
        this.bar(p, n, begin, y, wide, Math.max(wide, next - begin));
        // Of bars that are narrower than a pixel, one in each pixel is drawn.
        if (wide <= 3 && next < begin + 1) {
          const beyond = this.startAt[n] + 1 / this.zoom;
          at = this.firstFrom(ops, (one) => this.startAt[one] >= beyond, at);
        }
      }
    });
    for (const n of [...v.witness, this.picked]) {
      const lane = n < 0 ? undefined : this.laneOf.get(v.lane[n]);
      if (lane !== undefined && this.widthOf(n) <= 3 && this.isShown[n]) this.bar(p, n, this.at(this.startAt[n]), this.y(lane) + 2, 3, 0);
    }
  }

  widthOf(n) {
    const isOpen = this.endAt[n] === Infinity;
    const wide = isOpen ? 46 : (this.endAt[n] - this.startAt[n]) * this.zoom;
    return Math.max(3, wide) + (this.v.type[n] === 2 && !isOpen ? 20 : 0);
  }

  firstFrom(ops, isReached, low = 0) {
    let high = ops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isReached(ops[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // `room` is how far a label may reach: beyond its bar, up to the next one.
  bar(p, n, x, y, wide, room) {
    const { v, colours: c } = this;
    const type = ENDS[v.type[n]];
    p.lineWidth = 1.2;
    if (type === "info" && wide > 8) {
      const fade = p.createLinearGradient(x, 0, x + wide, 0);
      fade.addColorStop(0, c.info);
      fade.addColorStop(1, c.info + "00");
      p.fillStyle = fade;
    } else p.fillStyle = type === "info" ? c.info : c[type];
    p.fillRect(x, y, wide, BAR);
    if (wide > 5 && type !== "info") {
      p.strokeStyle = c[type + "-line"];
      p.setLineDash(type === "fail" ? [3, 2] : []);
      p.strokeRect(x, y, wide, BAR);
      p.setLineDash([]);
    } else if (type === "fail") {
      p.fillStyle = c["fail-line"];
      p.fillRect(x, y, wide, BAR);
    }
    if (this.isMarked.has(n) || n === this.picked) {
      p.lineWidth = 2.6;
      p.strokeStyle = n === this.picked ? c.focus : c.invalid;
      p.strokeRect(x, y, wide, BAR);
    }
    if (room > 16 && x + room > this.gutter + 16) {
      const begin = Math.max(x, this.gutter);
      p.fillStyle = c.ink;
      p.fillText(cut(this.label(n), Math.floor((x + Math.min(room, wide + 170) - begin - 8) / LETTER)), begin + 4, y + BAR / 2 + 0.5);
    }
    this.hits.push([x, y, wide, BAR, "op", n]);
  }

  label(n) {
    const { v } = this;
    const [asked, answered] = [v.texts[v.asked[n]], v.texts[v.answered[n]]];
    const end = v.type[n] === 1 ? " ✕" : "";
    return v.fs[v.f[n]] + (asked && " " + asked) + (answered && (asked ? " → " : " ") + answered) + end;
  }

  paintMachines(p) {
    const { v, width, height, colours: c } = this;
    const [from, to] = [this.timeAt(this.gutter), this.timeAt(width)];
    p.strokeStyle = c.line;
    p.lineWidth = 1;
    p.beginPath();
    this.machines.forEach((_, machine) => {
      p.moveTo(this.gutter, this.machineY(machine));
      p.lineTo(width, this.machineY(machine));
    });
    p.stroke();
    const inSight = [];
    for (const n of this.marks) {
      if (v.sent[n] > to) break;
      if (v.sent[n] + Math.max(0, v.took[n]) >= from) inSight.push(n);
    }
    const step = Math.ceil(inSight.length / 6000);
    p.globalAlpha = inSight.length > 800 ? 0.5 : 1;
    for (let at = 0; at < inSight.length; at += step) this.arrow(p, inSight[at], inSight.length);
    p.globalAlpha = 1;
    const first = upper(v.eventTime, from - 1);
    let last = {};
    for (let n = first; n < v.eventTime.length && v.eventTime[n] <= to; n++) {
      const x = this.x(v.eventTime[n]), y = this.machineY(v.eventMachine[n]);
      if (x - (last[v.eventMachine[n]] ?? -9) < 3) continue;
      last[v.eventMachine[n]] = x;
      p.fillStyle = c.ink;
      p.beginPath();
      p.arc(x, y, 2.6, 0, 7);
      p.fill();
      this.hits.push([x - 4, y - 4, 8, 8, "event", n]);
    }
  }

  arrow(p, n, crowd) {
    const { v, colours: c } = this;
    const isLost = v.took[n] < 0;
    const x = this.x(v.sent[n]), y = this.machineY(v.from[n]);
    let x2 = isLost ? x + 14 : this.x(v.sent[n] + v.took[n]);
    let y2 = this.machineY(v.to[n]);
    if (isLost) y2 = y + Math.sign(y2 - y) * Math.min(Math.abs(y2 - y), 14);
    p.strokeStyle = isLost ? c.invalid : c.first;
    p.lineWidth = n === this.pickedMessage ? 3 : 1.3;
    p.setLineDash(isLost ? [3, 2] : []);
    p.beginPath();
    p.moveTo(x, y);
    p.lineTo(x2, y2);
    p.stroke();
    p.setLineDash([]);
    this.hits.push([x, y, x2 - x, y2 - y, "message", n]);
    if (isLost) {
      p.fillStyle = c.invalid;
      p.fillText("✕", x2 - 1, y2);
    } else if (crowd < 1500) {
      const angle = Math.atan2(y2 - y, x2 - x);
      p.fillStyle = c.first;
      p.beginPath();
      p.moveTo(x2, y2);
      for (const turn of [0.42, -0.42]) p.lineTo(x2 - 7 * Math.cos(angle + turn), y2 - 7 * Math.sin(angle + turn));
      p.fill();
    }
    const room = Math.floor(Math.abs(x2 - x) / LETTER) + 3;
    if (crowd < 120 && room > 6) {
      const text = cut(v.said[v.words[n]], Math.min(28, room));
      p.lineWidth = 4;
      p.strokeStyle = c.card;
      p.strokeText(text, x + 6, y + (y2 > y ? 9 : -9));
      p.fillStyle = c.soft;
      p.fillText(text, x + 6, y + (y2 > y ? 9 : -9));
    }
  }

  // The linearization: where each operation may have taken effect, in order, and where the order breaks.
  paintOrder(p) {
    const { v, colours: c } = this;
    p.strokeStyle = c.valid;
    p.fillStyle = c.valid;
    p.lineWidth = 1;
    let last = null;
    const dots = [];
    for (const n of this.order.ops) {
      const lane = this.laneOf.get(v.lane[n]);
      if (lane === undefined) continue;
      const [time, place] = this.points.get(n);
      const x = this.x(time), y = this.y(lane) + 2 + BAR / 2;
      if (last && x >= this.gutter - 400 && last[0] <= this.width + 400) {
        p.beginPath();
        p.moveTo(...last);
        p.lineTo(x, y);
        p.globalAlpha = 0.55;
        p.stroke();
        p.globalAlpha = 1;
      }
      last = [x, y];
      if (x > this.gutter - 20 && x < this.width + 20) dots.push([x, y, place]);
      if (x > this.width + 400) break;
    }
    let until = -Infinity;
    for (const [x, y, place] of dots) {
      if (dots.length > 400 && x < until) continue;
      until = x + 2;
      p.fillStyle = c.valid;
      p.fillRect(x - 1.5, y - BAR / 2 - 1, 3, BAR + 2);
      if (dots.length > 120) continue;
      p.lineWidth = 3;
      p.strokeStyle = c.card;
      p.strokeText(String(place), x + 3, y - BAR / 2 - 1);
      p.fillText(String(place), x + 3, y - BAR / 2 - 1);
    }
    const n = this.order.blocked;
    const lane = n === null ? undefined : this.laneOf.get(v.lane[n]);
    if (lane === undefined) return;
    const x = this.x(v.end[n]), y = this.y(lane) + 2;
    p.strokeStyle = p.fillStyle = c.invalid;
    p.lineWidth = 2;
    p.setLineDash([5, 3]);
    p.beginPath();
    p.moveTo(x, this.head);
    p.lineTo(x, this.height);
    p.stroke();
    p.setLineDash([]);
    const text = "no order gets past this";
    const isLeft = x + 6 + text.length * LETTER > this.width;
    p.lineWidth = 4;
    p.strokeStyle = c.card;
    p.textAlign = isLeft ? "right" : "left";
    const at = [x + (isLeft ? -6 : 6), y + BAR / 2 - (isLeft ? LANE - 4 : 0)];
    p.strokeText(text, ...at);
    p.fillText(text, ...at);
    p.textAlign = "left";
  }

  paintNames(p, height) {
    const { colours: c, gutter } = this;
    p.font = NAME_FONT;
    p.fillStyle = c.ink;
    const letters = Math.floor(gutter / 7);
    this.lanes.forEach(({ name }, lane) => {
      const y = this.y(lane) + LANE / 2 - 1;
      if (y > this.head + 4 && y < height) p.fillText(cut(name, letters), 6, y);
    });
    this.machines.forEach((name, machine) => {
      const y = this.machineY(machine);
      if (y > this.head + 4 && y < height) p.fillText(cut(name, letters), 6, y);
    });
    p.font = '10px system-ui, "DejaVu Sans", sans-serif';
    p.fillStyle = c.soft;
    p.fillText(this.isStretched ? "stretched" : this.v.timed ? "time" : "order", 6, 9);
    p.font = FONT;
  }

  // The whole run in small: how much was going on, faults, the witness, and the part in sight.
  paintMap() {
    const p = this.prepared(this.map), c = this.colours, { v } = this;
    const width = this.map.clientWidth, height = MAP;
    const scale = width / (this.axis.length || 1);
    if (this.counted !== this.axis) {
      this.counted = this.axis;
      this.counts = [0, 1, 2].map(() => new Uint32Array(width + 1));
      for (const n of this.shown) this.counts[v.type[n]][Math.min(width, Math.floor(this.startAt[n] * scale))]++;
    }
    let most = 1;
    for (let x = 0; x <= width; x++) most = Math.max(most, this.counts[0][x] + this.counts[1][x] + this.counts[2][x]);
    for (const fault of this.faults) {
      const begin = this.axis.place(fault.start) * scale;
      p.fillStyle = fault.colour;
      p.globalAlpha = 0.3;
      p.fillRect(begin, 0, Math.max(1.5, (fault.end === null ? width : this.axis.place(fault.end) * scale) - begin), 5);
    }
    p.globalAlpha = 1;
    for (let x = 0; x <= width; x++) {
      let y = height;
      for (const type of [0, 2, 1]) {
        const tall = this.counts[type][x] ? Math.max(1, (this.counts[type][x] / most) * (height - 8)) : 0;
        p.fillStyle = c[["ok-line", "fail-line", "info-line"][type]];
        p.fillRect(x, y - tall, 1, tall);
        y -= tall;
      }
    }
    p.fillStyle = c.invalid;
    for (const n of v.witness) p.fillRect(this.axis.place(v.start[n]) * scale - 1, 0, 2.5, height);
    const room = (this.width - this.gutter) / this.zoom;
    const [x, wide] = [this.left * scale, Math.min(width, room * scale)];
    p.fillStyle = c.focus;
    p.globalAlpha = 0.16;
    p.fillRect(x, 0, Math.max(4, wide), height);
    p.globalAlpha = 1;
    p.strokeStyle = c.focus;
    p.strokeRect(x + 0.5, 0.5, Math.max(4, wide) - 1, height - 1);
  }

  // Where to look.
  showTimes(begin, end) {
    const [from, to] = [this.axis.place(begin), this.axis.place(end)];
    const room = this.width - this.gutter - 60;
    this.zoom = room / Math.max(1, to - from);
    if (this.isStretched) this.zoom = Math.max(LEAST_ZOOM, Math.min(2.5, this.zoom));
    this.clamp();
    this.left = (from + to) / 2 - (this.width - this.gutter) / 2 / this.zoom;
    this.draw();
  }

  showWitness() {
    const { v } = this;
    const wanted = v.witness.filter((n) => this.isShown[n]);
    if (!wanted.length) {
      this.showTimes(this.times[0] ?? 0, this.times[Math.min(this.times.length - 1, 60)] ?? 1);
      return;
    }
    const last = wanted[wanted.length - 1];
    const [begin, end] = [v.start[wanted[0]], Math.max(...wanted.map((n) => (v.end[n] < Infinity ? v.end[n] : v.start[n])))];
    // Where both ends of a witness do not fit, the last operation is shown, by which it is one.
    const room = (this.width - this.gutter - 60) / LEAST_ZOOM;
    const isFar = this.isStretched ? this.axis.place(end) - this.axis.place(begin) > room : upper(this.times, end) - upper(this.times, begin) > 150;
    this.showTimes(isFar ? v.start[last] : begin, isFar ? Math.min(v.end[last], end) : end);
    const lanes = wanted.map((n) => this.laneOf.get(v.lane[n]));
    this.top = Math.max(0, Math.min(...lanes) * LANE - 40);
  }

  zoomBy(factor, x = this.gutter + (this.width - this.gutter) / 2) {
    const place = (x - this.gutter) / this.zoom + this.left;
    this.zoom *= factor;
    this.clamp();
    this.left = place - (x - this.gutter) / this.zoom;
    this.draw();
  }

  // Go to an operation and read it out.
  choose(n) {
    const { v } = this;
    const end = v.end[n] < Infinity ? v.end[n] : v.start[n];
    const [x, x2] = [this.x(v.start[n]), this.x(end)];
    if (x < this.gutter || x2 > this.width) this.left = this.axis.place(v.start[n]) - 80 / this.zoom;
    const lane = this.laneOf.get(v.lane[n]);
    if (lane !== undefined && (this.y(lane) < this.head || this.y(lane) + LANE > this.height)) this.top = lane * LANE - 60;
    this.tell("op", n);
  }

  // Read out what was picked.
  tell(kind, n) {
    this.picked = kind === "op" ? n : -1;
    this.pickedMessage = kind === "message" ? n : -1;
    this.pick.textContent = this.read(kind, n);
    this.draw();
  }

  // An operation, fault, event or message in words.
  read(kind, n) {
    const { v } = this;
    const exact = (time) => (v.timed ? (time / this.second).toFixed(6) + " s" : "op " + time);
    if (kind === "fault") {
      const { label, start, end } = this.faults[n];
      return "fault " + label + ", " + exact(start) + " to " + (end === null ? "the end" : exact(end));
    }
    if (kind === "event")
      return v.machines[v.eventMachine[n]] + " reported at " + exact(v.eventTime[n]) + ": " + v.said[v.eventWords[n]];
    if (kind === "message")
      return (
        v.machines[v.from[n]] + " → " + v.machines[v.to[n]] + ": " + v.said[v.words[n]] + "\nsent at " + exact(v.sent[n]) +
        (v.took[n] < 0 ? ", never arrived" : ", arrived at " + exact(v.sent[n] + v.took[n]))
      );
    const until = v.end[n] < Infinity ? " to " + exact(v.end[n]) : ", and it was never answered";
    const node = v.nodes[v.node[n]];
    const place = this.points.get(n);
    return [
      "process " + v.process[n] + ": " + this.label(n) + (node ? " at " + node : ""),
      ENDS[v.type[n]] + ", op " + v.index[n] + ", " + exact(v.start[n]) + until,
      v.texts[v.error[n]],
      place ? "number " + place[1] + " in the order" : "",
      this.order && this.order.blocked === n ? "no order of the operations before it allows what it was answered" : "",
    ].filter(Boolean).join("\n");
  }

  // Buttons and filters.
  buildTools() {
    const { v } = this;
    const tools = this.root.querySelector(".tools");
    const button = (label, title, act) => {
      const made = addButton(tools, label, act);
      made.title = title;
      return made;
    };
    const filters = document.createElement("details");
    filters.className = "filters";
    filters.open = innerWidth > 700;
    const summary = document.createElement("summary");
    summary.textContent = "Show only";
    filters.append(summary);
    const choice = (label, names, name) => {
      if (names.length < 2) return;
      const frame = document.createElement("label");
      frame.append(label + " ");
      const select = document.createElement("select");
      select.append(new Option("all", -1));
      for (const [text, value] of names) select.append(new Option(text, value));
      select.addEventListener("change", () => {
        this.filters[name] = Number(select.value);
        if (name === "key") this.order = this.v.orders.find((order) => order.key === this.filters.key) ?? (this.filters.key < 0 ? this.order : null);
        this.refilter();
      });
      select.className = "by-" + name;
      frame.append(select);
      filters.append(frame);
    };
    if (v.timed) {
      const stretch = button("Linear time", "Equal widths are equal times", () => {
        const middle = this.timeAt(this.gutter + (this.width - this.gutter) / 2);
        const span = this.timeAt(this.width) - this.timeAt(this.gutter);
        this.isStretched = !this.isStretched;
        stretch.setAttribute("aria-pressed", String(!this.isStretched));
        this.makeAxis();
        this.showTimes(middle - span / 2, middle + span / 2);
        this.say();
      });
      stretch.setAttribute("aria-pressed", "false");
    }
    button("−", "Zoom out (key −)", () => this.zoomBy(1 / 1.5)).setAttribute("aria-label", "Zoom out");
    button("+", "Zoom in (key +)", () => this.zoomBy(1.5)).setAttribute("aria-label", "Zoom in");
    button("All", "Zoom out to the whole (key a)", () => this.showAll());
    if (v.witness.length) button("Witness", "Go to the witness (key w)", () => this.showWitness());
    choice("key", v.keys.map((key, n) => [key, n]), "key");
    choice("process", [...new Set(v.process)].sort((a, b) => a - b).map((process) => [process, process]), "process");
    choice("node", v.nodes.flatMap((name, n) => (name === null ? [] : [[name, n]])), "node");
    choice("f", v.fs.map((f, n) => [f, n]), "f");
    choice("end", ENDS.map((end, n) => [end, n]).filter(([, n]) => v.type.includes(n)), "type");
    if (v.orders.length) {
      const frame = document.createElement("label");
      frame.append("order ");
      const select = document.createElement("select");
      select.className = "by-order";
      select.append(new Option("none", -1));
      v.orders.forEach((order, n) => select.append(new Option(order.name || (order.blocked === null ? "shown" : "as far as there is one"), n)));
      select.value = String(v.orders.indexOf(this.order));
      select.addEventListener("change", () => {
        this.order = v.orders[Number(select.value)] ?? null;
        this.makeAxis();
        this.draw();
      });
      frame.append(select);
      tools.append(frame);
      this.orderSelect = select;
    }
    const field = (label, type, act) => {
      const frame = document.createElement("label");
      const input = document.createElement("input");
      input.type = type;
      input.addEventListener("input", () => (act(input.value), this.refilter()));
      frame.append(label + " ", input);
      filters.append(frame);
      return input;
    };
    const scale = this.second;
    field(v.timed ? "from s" : "from op", "number", (value) => (this.filters.from = value === "" ? -Infinity : value * scale)).className = "by-from";
    field("to", "number", (value) => (this.filters.to = value === "" ? Infinity : value * scale)).className = "by-to";
    field("find", "search", (value) => (this.filters.text = value)).className = "by-text";
    if (v.messages + v.events) {
      const show = button("Messages", "Messages between machines", () => {
        this.showsMessages = !this.showsMessages;
        show.setAttribute("aria-pressed", String(this.showsMessages));
        this.refilter();
      });
      show.setAttribute("aria-pressed", "true");
    }
    this.count = document.createElement("output");
    tools.append(this.count, filters);
    tools.hidden = false;
  }

  refilter() {
    if (this.orderSelect) this.orderSelect.value = String(this.v.orders.indexOf(this.order));
    this.select();
    this.top = 0;
    this.showWitness();
  }

  showAll() {
    this.zoom = 0;
    this.clamp();
    this.left = 0;
    this.draw();
  }

  say() {
    const scale = this.root.querySelector(".scale");
    scale.textContent = !this.v.timed
      ? "The file has no times: the positions of its entries are drawn."
      : this.isStretched
        ? "Time is stretched where much happens; hatched stretches are long waits drawn short."
        : "Time is linear.";
  }

  listen() {
    const { canvas, map } = this;
    this.say();
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) this.zoomBy(1.0015 ** -event.deltaY, event.offsetX);
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.left += (event.deltaX || event.deltaY) / this.zoom;
        this.draw();
      } else if (this.whole > this.height) {
        const before = this.top;
        this.top += event.deltaY;
        this.clamp();
        this.draw();
        if (this.top === before) return;
      } else return;
      event.preventDefault();
    }, { passive: false });
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, y: event.clientY, left: this.left, top: this.top, isMoved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) {
        const hit = this.hitAt(event.offsetX, event.offsetY);
        canvas.title = hit ? this.read(...hit) : "";
        return;
      }
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      drag.isMoved ||= Math.abs(dx) + Math.abs(dy) > 4;
      if (!drag.isMoved) return;
      this.left = drag.left - dx / this.zoom;
      this.top = drag.top - dy;
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const hit = drag && !drag.isMoved && this.hitAt(event.offsetX, event.offsetY);
      if (hit) this.tell(...hit);
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => (drag = null));
    const jump = (event) => {
      if (event.buttons === 0) return;
      this.left = (event.offsetX / map.clientWidth) * this.axis.length - (this.width - this.gutter) / 2 / this.zoom;
      this.draw();
    };
    map.addEventListener("pointerdown", jump);
    map.addEventListener("pointermove", jump);
    canvas.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.('a[href^="#op-"]');
      if (!link) return;
      const n = this.v.index.indexOf(Number(link.hash.slice(4)));
      if (n < 0) return;
      event.preventDefault();
      this.root.scrollIntoView({ block: "center" });
      this.choose(n);
      canvas.focus({ preventScroll: true });
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (this.width - this.gutter) / 5 / this.zoom;
    const acts = {
      ArrowLeft: () => (this.left -= step), ArrowRight: () => (this.left += step),
      ArrowUp: () => (this.top -= LANE), ArrowDown: () => (this.top += LANE),
      Home: () => (this.left = 0), End: () => (this.left = this.axis.length),
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5),
      a: () => this.showAll(), w: () => this.showWitness(),
      n: () => this.next(1), p: () => this.next(-1),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    this.draw();
  }

  next(step) {
    const at = this.shown.indexOf(this.picked);
    const n = at < 0 ? this.v.witness[0] ?? this.shown[0] : this.shown[Math.min(this.shown.length - 1, Math.max(0, at + step))];
    if (n !== undefined) this.choose(n);
  }

  // What is drawn at a point, topmost first: its kind and its number.
  hitAt(x, y) {
    for (let at = this.hits.length - 1; at >= 0; at--) {
      const [left, top, wide, tall, kind, n] = this.hits[at];
      const isHit = kind === "message"
        ? nearLine(x, y, left, top, left + wide, top + tall)
        : x >= left - 2 && x <= left + wide + 2 && y >= top && y <= top + tall;
      if (isHit) return [kind, n];
    }
    return null;
  }
}

function nearLine(x, y, x1, y1, x2, y2) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const part = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x1 - part * dx, y - y1 - part * dy) < 5;
}

for (const root of document.querySelectorAll(".viewer")) {
  const data = document.getElementById("view-data");
  if (!data || typeof DecompressionStream === "undefined") continue;
  const section = root.parentElement;
  section.classList.add("viewed");
  unpack(data.textContent)
    .then((view) => {
      root.hidden = false;
      root.viewer = new Viewer(root, view);
      root.dataset.ready = "true";
    })
    .catch((error) => {
      // The drawing that is part of the page is better than none.
      root.hidden = true;
      section.classList.remove("viewed");
      console.error(error);
    });
}
