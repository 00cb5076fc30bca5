/* What stands behind a figure or in a table, as a file: built in the page, nothing is asked of anybody. */
(() => {
  const bare = (text) => (text || "").replace(/<[^>]*>/g, "").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&#36;/g, "$").replace(/&amp;/g, "&");
  const save = (name, kind, text) => {
    const link = document.createElement("a");
    const type = { csv: "text/csv", json: "application/json", svg: "image/svg+xml" }[kind];
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = `${name}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 2000);
  };
  /* A cell that a spreadsheet would run as a formula is set apart by an apostrophe. */
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const csv = (rows) => {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    return [columns, ...rows.map((row) => columns.map((column) => row[column]))].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  };

  /* The numbers that a figure draws, in base units, one record a mark. */
  const drawn = ({ data, layout }) => {
    const rows = (layout.meta && layout.meta.rows) || [];
    const [x, y] = ["xaxis", "yaxis"].map((axis) => bare(((layout[axis] || {}).title || {}).text) || axis[0]);
    const place = (value) => (rows.length ? { name: bare(rows[Math.round(value)]) } : { [y]: value });
    return data.filter((trace) => trace.hoverinfo !== "skip").flatMap((trace) => {
      const series = trace.name ? { series: bare(trace.name) } : {};
      if (trace.type === "heatmap") {
        return trace.y.flatMap((row, i) => trace.x.map((column, j) => ({ ...place(row), [x]: column, value: trace.meta[i][j], shown: bare(trace.text[i][j]) })));
      }
      if (trace.type === "box") {
        return trace.y.map((row, i) => ({ ...place(row), ...Object.fromEntries(["lowerfence", "q1", "median", "q3", "upperfence"].map((part) => [part, trace[part][i]])) }));
      }
      const low = trace.error_x && trace.error_x.arrayminus;
      return (trace.x || []).map((value, i) => {
        const base = typeof trace.base === "number" ? trace.base : 0;
        const numbers = { ...series, ...place(trace.y[i]), [x]: base && typeof value === "number" ? base + value : value };
        return low ? { ...numbers, low: value - low[i], high: value + trace.error_x.array[i] } : numbers;
      });
    });
  };

  const listed = (place) => {
    const names = [...place.querySelector("thead tr").cells].map((head) => head.textContent.trim());
    return [...place.querySelectorAll("tbody tr")].map((row) =>
      Object.fromEntries([...row.cells].map((item, i) => [names[i] || `column ${i + 1}`, item.textContent.trim().replace(/\s+/g, " ")])),
    );
  };

  document.addEventListener("click", async ({ target }) => {
    const kind = target.dataset && target.dataset.take;
    if (!kind) return;
    const chart = target.closest("figure.chart");
    const place = chart || target.closest(".taken");
    const plot = chart && chart.querySelector("[data-plot]");
    const name = plot ? plot.dataset.plot : place.dataset.name;
    if (kind === "csv" || kind === "json") {
      const rows = plot ? drawn(tonnage.figure(name)) : listed(place);
      save(name, kind, kind === "csv" ? csv(rows) : `${JSON.stringify(rows, null, 1)}\n`);
      return;
    }
    const finding = chart.querySelector("h3").textContent;
    const layout = { ...plot.layout, title: { text: finding.replace(/</g, "&lt;").replace(/\$/g, "&#36;"), font: { size: 15 } }, margin: { ...plot.layout.margin, t: 60 } };
    layout.paper_bgcolor = getComputedStyle(chart).backgroundColor;
    const size = { width: Math.max(plot.clientWidth, 720), height: plot.layout.height + 50 };
    const picture = await Plotly.toImage({ data: plot.data, layout: { ...layout, ...size } }, { format: kind, scale: 2, ...size });
    if (kind === "svg") return save(name, kind, decodeURIComponent(picture.slice(picture.indexOf(",") + 1)));
    const link = document.createElement("a");
    [link.href, link.download] = [picture, `${name}.png`];
    link.click();
  });
  document.querySelectorAll(".take").forEach((line) => (line.hidden = false));
})();
