// The line to the studio: questions with numbers, answers to them, over a WebSocket or, where it is blocked, by requests.

/** The server understood, and said no; its sentence is for the user. */
class Refusal extends Error {}

class Line {
  constructor(on) {
    this.on = on; // opened(), status(text)
    this.asked = new Map(); // number of a question -> who waits for its answer
    this.asides = new Map(); // jobs that give way -> how to end them
    this.next = 1;
    this.tries = 0;
    this.model = "";
    this.open();
    addEventListener("pagehide", () => {
      this.closed = true;
      if (this.socket) this.socket.close();
    });
  }

  open() {
    const url = serverUrl("studio/socket");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    let opened = false;
    try {
      this.socket = new WebSocket(url);
    } catch {
      return this.withoutSocket();
    }
    const late = setTimeout(() => opened || this.socket.close(), 4000);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      opened = true;
      this.tries = 0;
      this.on.opened();
    };
    this.socket.onmessage = (event) => this.take(event.data);
    this.socket.onclose = (event) => {
      clearTimeout(late);
      this.socket = null;
      for (const entry of this.asked.values()) entry.fail(new Error("The line to the server broke."));
      this.asked.clear();
      if (this.closed || event.code === 4000) return;
      if (!opened && this.tries === 0) return this.withoutSocket(); // never worked: blocked on the way
      this.tries += 1;
      this.on.status(this.tries > 1 ? "The server does not answer. Trying again…" : "");
      setTimeout(() => this.closed || this.open(), Math.min(500 * this.tries, 5000));
    };
  }

  withoutSocket() {
    this.plain = true;
    setTimeout(() => this.on.opened()); // the page is not ready while we are being made
  }

  /** Ends the small pictures under way: the current one is being changed, and they would be of the old one. */
  hush() {
    for (const cancel of this.asides.values()) cancel();
    this.asides.clear();
  }

  /** An `ask` that gives way while a slider moves; its answer then is { cancelled: true }. */
  aside(message, part) {
    const job = this.ask(message, part);
    const done = () => this.asides.delete(job);
    this.asides.set(job, job.cancel);
    job.answer.then(done, done);
    return job;
  }

  /** Asks; gives { answer: promise of [header, bytes or null], cancel() }. `part` hears of progress and tiles. */
  ask(message, part = () => {}) {
    const id = this.next++;
    const answer = new Promise((done, fail) => {
      this.asked.set(id, { done, fail, part });
      const text = JSON.stringify({ id, ...message });
      if (this.plain) this.post(text, id);
      else if (this.socket && this.socket.readyState === 1) this.socket.send(text);
      else {
        this.asked.delete(id);
        fail(new Error("The server does not answer."));
      }
    });
    return { answer, cancel: () => this.asked.has(id) && this.tell({ id: this.next++, do: "cancel", what: id }) };
  }

  tell(message) {
    if (this.socket && this.socket.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  take(data) {
    const [header, bytes] = this.opened(data);
    const entry = this.asked.get(header.id);
    if (!entry) return header.type === "error" && this.on.status(header.text);
    if (header.type === "progress" || header.type === "tile") return entry.part(header, bytes);
    this.asked.delete(header.id);
    if (header.type === "error") entry.fail(new Refusal(header.text));
    else entry.done([header, bytes]);
  }

  opened(data) {
    if (typeof data === "string") return [JSON.parse(data), null];
    const [header, at] = openMessage(data);
    return [header, new Blob([new Uint8Array(data, at)], { type: header.mime })];
  }

  /** A question without WebSocket: its answers come together. */
  async post(text, id) {
    try {
      const url = serverUrl("studio/ask");
      url.searchParams.set("model", this.model);
      const answer = await fetch(url, { method: "POST", body: text });
      if (!answer.ok) throw new Error(await answer.text());
      const buffer = await answer.arrayBuffer();
      const view = new DataView(buffer);
      for (let at = 0; at < buffer.byteLength; ) {
        const size = view.getUint32(at + 4, true);
        const body = buffer.slice(at + 8, at + 8 + size);
        this.take(view.getUint8(at) === 74 ? new TextDecoder().decode(body) : body); // 74: "J"
        at += 8 + size;
      }
    } catch (error) {
      const entry = this.asked.get(id);
      this.asked.delete(id);
      if (entry) entry.fail(new Error("The server does not answer."));
    }
  }
}

/** One picture under way at a time; of the wishes that come meanwhile only the newest is kept. */
class Pump {
  constructor(paint) {
    this.paint = paint; // (wish) -> promise, settled when the picture is on the screen
    this.waiting = null;
    this.busy = false;
  }

  want(wish) {
    this.waiting = wish;
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.waiting) {
      const wish = this.waiting;
      this.waiting = null;
      await this.paint(wish);
    }
    this.busy = false;
  }
}

/** Has small pictures made for a part of the page; what it wished is forgotten where they do not all come. */
async function smallPictures(owner, recipes, side, take) {
  const job = (owner.job = owner.studio.line.aside({ do: "many", recipes, side }, async (header, blob) => take(header.index, await createImageBitmap(blob))));
  try {
    const [header] = await job.answer;
    if (header.cancelled && job === owner.job) owner.wished = "";
  } catch (error) {
    owner.wished = "";
    if (job === owner.job) owner.studio.fail(error);
  }
}
