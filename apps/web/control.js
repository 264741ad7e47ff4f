// A labelled number, slider or menu, made from what Python knows of a setting.

/** A labelled control for one field of a schema; `change(value, final)` hears of every move. */
function control(field, value, change) {
  const row = make("label", "toy-field");
  row.title = field.help + (field.live === false ? " (starts the run again)" : "");
  const name = make("span", "", field.label || field.name.replaceAll("_", " "));
  if (field.live === false) name.append(make("sup", "", "↺"));
  row.append(name);
  if (field.choices) {
    const select = make("select");
    for (const [key, text] of field.choices) select.append(new Option(text, key, false, key === value));
    select.onchange = () => change(select.value, true);
    row.append(select);
    row.show = (v) => (select.value = v);
    return row;
  }
  const number = make("input");
  number.type = "number";
  number.step = "any";
  number.value = value ?? "";
  number.setAttribute("aria-label", field.help);
  const whole = field.kind === "int";
  number.onchange = () => change(number.value === "" ? null : Number(number.value), true);
  row.append(number);
  let slider = null;
  if (field.lo != null && field.hi != null) {
    slider = make("input");
    slider.type = "range";
    slider.setAttribute("aria-label", name.textContent);
    const low = field.log ? Math.log10(Math.max(field.lo, field.hi / 1e7)) : field.lo;
    const high = field.log ? Math.log10(field.hi) : field.hi;
    slider.min = low;
    slider.max = high;
    slider.step = whole && !field.log ? 1 : (high - low) / 200;
    const toSlider = (v) => (field.log ? Math.log10(Math.max(v, 10 ** low)) : v);
    const fromSlider = () => {
      const v = field.log ? 10 ** Number(slider.value) : Number(slider.value);
      return whole ? Math.round(v) : Number(v.toPrecision(3));
    };
    slider.value = toSlider(value ?? field.lo);
    slider.oninput = () => {
      number.value = fromSlider();
      change(fromSlider(), false);
    };
    slider.onchange = () => change(fromSlider(), true);
    row.append(slider);
    row.show = (v) => {
      number.value = v ?? "";
      slider.value = toSlider(v ?? field.lo);
    };
  } else row.show = (v) => (number.value = v ?? "");
  row.busy = () => document.activeElement === number || document.activeElement === slider;
  return row;
}
