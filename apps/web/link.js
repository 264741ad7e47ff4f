// The line to the trainer: a WebSocket, or polling where WebSockets are blocked. Newest frame wins.

const ARRAYS = { uint8: Uint8Array, int16: Int16Array, float32: Float32Array };

/** A frame's sections: name -> function of a GAN's number that gives its values. */
function openSections(header, buffer, at) {
  const out = {};
  for (const [name, kind, offset, per] of header.sections) {
    const Kind = ARRAYS[kind];
    out[name] = (k) => new Kind(buffer, at + offset + k * per * Kind.BYTES_PER_ELEMENT, per);
  }
  return out;
}

class Link {
  constructor(query, on, lab = "toy") {
    this.query = query; // room and key to come back to, or a room to watch
    this.on = on; // message(object), frame(header, sections, data, at), file(header, blob), status(text)
    this.lab = lab; // whose routes
    this.closed = false;
    this.tries = 0;
    this.open();
  }

  open() {
    const url = serverUrl(this.lab + "/socket");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    for (const [name, value] of Object.entries(this.query)) if (value) url.searchParams.set(name, value);
    let heard = false;
    try {
      this.socket = new WebSocket(url);
    } catch {
      return this.poll();
    }
    const late = setTimeout(() => heard || this.socket.close(), 4000);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => {
      heard = true;
      this.tries = 0;
      this.take(event.data);
    };
    this.socket.onclose = (event) => {
      clearTimeout(late);
      this.socket = null;
      if (this.closed || event.code === 4000) return;
      if (!heard && this.tries === 0) return this.poll(); // never worked: blocked on the way
      this.retry();
    };
  }

  retry() {
    this.tries += 1;
    this.on.status(this.tries > 1 ? "The server does not answer. Trying again…" : "");
    setTimeout(() => this.closed || this.open(), Math.min(500 * this.tries, 5000));
  }

  /** The way without WebSockets: short requests that bring what has gathered. */
  async poll() {
    this.polling = true;
    let failures = 0;
    while (!this.closed) {
      try {
        const url = serverUrl(this.lab + "/poll");
        for (const [name, value] of Object.entries(this.query)) if (value) url.searchParams.set(name, value);
        if (this.viewer) url.searchParams.set("viewer", this.viewer);
        const answer = await fetch(url, { cache: "no-store" });
        if (answer.status === 503) {
          this.closed = true;
          return this.on.message({ type: "refused", text: (await answer.text()) + "." });
        }
        if (!answer.ok) throw new Error(await answer.text());
        failures = 0;
        this.viewer = answer.headers.get("x-viewer");
        const buffer = await answer.arrayBuffer();
        const view = new DataView(buffer);
        for (let at = 0; at < buffer.byteLength; ) {
          const isText = view.getUint8(at) === 74; // "J"
          const size = view.getUint32(at + 4, true);
          const body = buffer.slice(at + 8, at + 8 + size);
          this.take(isText ? new TextDecoder().decode(body) : body);
          at += 8 + size;
        }
      } catch (error) {
        failures += 1;
        this.viewer = null;
        this.on.status(failures > 1 ? "The server does not answer. Trying again…" : "");
        await new Promise((done) => setTimeout(done, Math.min(500 * failures, 5000)));
      }
      await new Promise((done) => setTimeout(done, document.hidden ? 500 : 25));
    }
  }

  take(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "refused") this.close();
      if (message.type === "hello") this.query = { room: message.room, key: message.key };
      return this.on.message(message);
    }
    const [header, at] = openMessage(data);
    if (header.type === "frame") this.on.frame(header, openSections(header, data, at), data, at);
    else this.on.file(header, new Blob([data.slice(at)], { type: header.kind }));
  }

  /** The last frame is painted; the next may come. */
  painted() {
    if (this.socket && this.socket.readyState === 1) this.socket.send('{"do":"ack"}');
  }

  send(command) {
    const text = JSON.stringify(command);
    if (this.socket && this.socket.readyState === 1) return this.socket.send(text);
    if (this.polling && this.viewer) {
      const url = serverUrl(this.lab + "/send");
      url.search = new URLSearchParams({ ...this.query, viewer: this.viewer });
      const post = () => fetch(url, { method: "POST", body: text });
      // one after the other: commands must arrive in order
      this.posting = (this.posting || Promise.resolve()).then(post).catch(() => this.on.status("The server does not answer."));
    }
  }

  close() {
    this.closed = true;
    if (this.socket) this.socket.close();
  }
}
