// What every page needs: elements, the server's addresses, sentences for the user, files to save.

function make(tag, kind, text) {
  const out = document.createElement(tag);
  if (kind) out.className = kind;
  if (text != null) out.textContent = text;
  return out;
}

/** Where the server's own routes lie, whatever page or proxy path we are on. */
function serverUrl(path) {
  const root = (window.gradio_config && window.gradio_config.root) || location.origin;
  return new URL("ganlab/" + path, root.replace(/\/?$/, "/"));
}

/** A binary message: [header, bytes after it]. */
function openMessage(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  return [header, 4 + size];
}

/** What looks like a button and lets the user choose a file, which `take` gets; `said`: its name for screen readers. */
function fileButton(text, accept, said, take) {
  const out = make("label", "toy-upload", text);
  const input = make("input");
  input.type = "file";
  input.accept = accept;
  input.setAttribute("aria-label", said);
  input.onchange = () => {
    const [file] = input.files;
    input.value = ""; // the same file can be chosen again
    if (file) take(file);
  };
  out.append(input);
  return out;
}

/** Hands the user a file. */
function saveFile(name, blob) {
  const a = make("a");
  a.href = URL.createObjectURL(blob);
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

/** Copies a text field; its button says so. */
async function copyField(field, button) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy"); // plain http: no clipboard
  }
  const text = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = text), 1500);
}

/** A sentence over the page; errors stay longer, sticky ones until they are cleared. */
class Toast {
  constructor(root, box) {
    this.root = root;
    this.box = box;
    box.querySelector("button").onclick = () => box.hidePopover();
  }

  /** An empty text clears it. */
  say(text, kind, sticky = false) {
    const box = this.box;
    clearTimeout(this.timer);
    if (sticky && !text && box.dataset.sticky !== "true") return;
    if (box.matches(":popover-open")) box.hidePopover();
    (this.root.querySelector("dialog[open]") || this.root).append(box); // what lies outside an open dialog is dead
    if (text) box.showPopover();
    box.className = "toy-toast " + kind;
    box.dataset.sticky = sticky;
    box.querySelector("span").textContent = text;
    if (text && !sticky) this.timer = setTimeout(() => box.matches(":popover-open") && box.hidePopover(), kind === "error" ? 12000 : 6000);
  }
}
