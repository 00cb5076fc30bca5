/* Sliders over results that were computed beforehand for every position, by the formulas of the projection. */
(() => {
  const SCALES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];
  const YEAR_S = 31557600;
  const significant = (value, digits = 3) => {
    if (value === 0) return "0";
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
    return value.toLocaleString("en-US", { minimumFractionDigits: 0, maximumFractionDigits: Math.min(decimals, 20) });
  };
  const prefixed = (value, unit) => {
    const [scale, prefix] = SCALES.find(([least]) => Math.abs(value) >= least * 0.9995) || [1, ""];
    return `${significant(value / scale)} ${prefix}${unit}`.trim();
  };
  const seconds = (value) => {
    const steps = [[2 * YEAR_S, YEAR_S, "years"], [172800, 86400, "days"], [7200, 3600, "h"], [120, 60, "min"], [1, 1, "s"], [1e-3, 1e-3, "ms"], [1e-6, 1e-6, "µs"], [0, 1e-9, "ns"]];
    const [, scale, label] = steps.find(([least]) => Math.abs(value) >= least);
    return value === 0 ? "0 s" : `${significant(value / scale)} ${label}`;
  };
  const dollars = (value) => (value >= 1e6 ? `$${prefixed(value, "")}` : `$${value >= 100 ? Math.round(value).toLocaleString("en-US") : significant(value)}`);
  const counted = (value) => (Math.abs(value) < 1e5 ? significant(value, Number.isInteger(value) ? 5 : 3) : prefixed(value, ""));
  const show = (value, unit) => {
    if (value === null) return "unknown";
    if (unit === "share") return `${significant(value * 100)} %`;
    if (unit === "s") return seconds(value);
    if (unit === "usd") return dollars(value);
    if (unit === "bytes") return prefixed(value, "B");
    if (unit === "bytes_per_s") return prefixed(value, "B/s");
    return counted(value);
  };
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  };

  /* A page holds every result packed, which is a quarter of the length; a notebook's frame as it is. */
  const read = async ({ type, textContent }) => {
    if (type === "application/json") return JSON.parse(textContent);
    const bytes = Uint8Array.from(atob(textContent), (char) => char.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };

  const build = async (place) => {
    const { inputs, outputs, month, note } = await read(place.querySelector("script"));
    const chosen = inputs.map((given) => given.base);
    const at = (output, positions) => output.values[output.on.reduce((sum, i) => sum * inputs[i].stops.length + positions[i], 0)];
    const base = inputs.map((given) => given.base);
    const sliders = element("div");
    const table = element("table");
    table.append(element("caption", `In month ${month}`));
    const head = table.createTHead().insertRow();
    ["what", "as it is", "with these", "change"].forEach((name, i) => head.append(element("th", name, { scope: "col", class: i ? "number" : "" })));
    const body = table.createTBody();
    const said = element("p", "", { class: "unseen", "aria-live": "polite" });

    const update = () => {
      body.replaceChildren(...outputs.map((output) => {
        const [before, now] = [at(output, base), at(output, chosen)];
        const row = element("tr");
        const change = before === null || now === null || before === 0 ? null : now / before - 1;
        const words = change === null ? "–" : Math.abs(change) < 0.0005 ? "the same" : `${change > 0 ? "+" : "−"}${significant(Math.abs(change) * 100)} %`;
        const name = element("th", output.why ? undefined : output.words, { scope: "row" });
        if (output.why) name.append(element("a", output.words, { href: `#${output.why}`, class: "why" }));
        row.append(name, element("td", show(before, output.unit), { class: "number" }));
        row.append(element("td", show(now, output.unit), { class: "number", "data-what": output.name, "data-value": now }));
        row.append(element("td", words, { class: `number ${words === "the same" || change === null ? "" : change > 0 ? "more" : "less"}` }));
        return row;
      }));
    };
    inputs.forEach((given, i) => {
      const slider = element("div", undefined, { class: "slider" });
      const id = `${place.id}-${i}`;
      const label = element("label", undefined, { for: id });
      const value = element("b");
      label.append(element("span", given.words), value);
      const range = element("input", undefined, { type: "range", id, min: 0, max: given.stops.length - 1, step: 1, value: given.base, "data-input": given.name });
      const set = () => {
        chosen[i] = Number(range.value);
        value.textContent = given.shown[chosen[i]];
        range.setAttribute("aria-valuetext", given.shown[chosen[i]]);
        update();
      };
      range.addEventListener("input", set);
      range.addEventListener("change", () => (said.textContent = outputs.map((o) => `${o.words}: ${show(at(o, chosen), o.unit)}`).join("; ")));
      given.reset = () => ((range.value = given.base), set());
      slider.append(label, range);
      sliders.append(slider);
      set();
    });
    const reset = element("button", "As it is", { type: "button" });
    reset.addEventListener("click", () => inputs.forEach((given) => given.reset()));
    sliders.append(reset);
    const results = element("div");
    results.append(table, said);
    place.append(sliders, results, element("p", note, { class: "note" }));
  };
  document.querySelectorAll(".surface").forEach(build);
})();
