// The share dialog: links, downloads, the Python of a run.

class ShareDialog {
  constructor(lab) {
    this.lab = lab;
    const dialog = lab.find("share");
    lab.find("open-share").onclick = () => {
      if (!lab.state) return;
      const at = location.origin + location.pathname;
      lab.find("link").value = `${at}?run=${lab.state.link}`;
      lab.find("watch").value = `${at}?watch=${lab.link.query.room}`;
      lab.find("python").hidden = true;
      dialog.showModal();
    };
    lab.find("close-share").onclick = () => dialog.close();
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    for (const button of dialog.querySelectorAll("[data-copy]"))
      button.onclick = () => copyField(lab.find(button.dataset.copy), button);
    lab.find("json").onclick = () => lab.save("run.json", new Blob([JSON.stringify(lab.state.run, null, 2)], { type: "application/json" }));
    lab.find("csv").onclick = () => lab.send({ do: "points" });
    for (const kind of ["gif", "mp4"])
      lab.find(kind).onclick = () => {
        lab.toast("Drawing the film; it takes a few seconds…", "notice");
        lab.send({ do: "film", kind });
      };
    lab.find("show-python").onclick = () => lab.send({ do: "python" });
    lab.find("open-run").onchange = async (event) => {
      const file = event.target.files[0];
      event.target.value = "";
      if (!file) return;
      try {
        if (file.size > 262144) throw new Error();
        lab.send({ do: "run", run: JSON.parse(await file.text()) });
        dialog.close();
      } catch {
        lab.toast("This file does not hold a run: choose a run.json that was saved here.", "error");
      }
    };
  }

  showPython(text) {
    this.lab.find("python").hidden = false;
    this.lab.find("python").textContent = text;
  }
}
