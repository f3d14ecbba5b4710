(() => {
  "use strict";
  const graph = JSON.parse(document.getElementById("data").textContent);
  const picture = document.getElementById("picture");
  const details = document.getElementById("details");
  const find = document.getElementById("find");
  const bands = [...picture.querySelectorAll(".band")];
  const rows = [...picture.querySelectorAll(".row")];
  const nodes = [...picture.querySelectorAll(".node")];
  const rowOf = new Map(graph.commits.map((c, i) => [c.commit, i]));
  const harmless = new Set(["succeeded", "up-to-date", "built", "dry-run", "superseded", "interrupted", "locked"]);
  const bad = (d) => !harmless.has(d.outcome);
  let chosen = -1, picked = -1;

  // Everything foreign goes in as text, never as HTML.
  const make = (tag, text, ...children) => {
    const e = document.createElement(tag);
    if (text) e.textContent = text;
    e.append(...children);
    return e;
  };
  const when = (t) => new Date(t).toLocaleString();
  const term = (list, name, ...value) => list.append(make("dt", name), make("dd", "", ...value));

  function show(i) {
    const c = graph.commits[i];
    const list = make("dl");
    term(list, "commit", make("code", c.commit));
    term(list, "author", c.author);
    term(list, "when", when(c.when));
    for (const p of c.parents) {
      const link = make("button", p.slice(0, 8));
      link.type = "button";
      const at = rowOf.get(p);
      if (at === undefined) link.disabled = true; else link.onclick = () => choose(at);
      term(list, "parent", link);
    }
    const run = graph.nodes.filter((n) => n.current === c.commit).map((n) => n.node + (n.pinned ? " (pinned)" : ""));
    if (run.length) term(list, "runs on", run.join(", "));
    const boot = graph.nodes.filter((n) => n.boot === c.commit && n.current !== c.commit).map((n) => n.node);
    if (boot.length) term(list, "boots next on", boot.join(", "));
    details.replaceChildren(make("h2", c.subject), list);
    const deployments = c.deployments || [];
    details.append(make("h3", deployments.length ? "Deployments" : "Never deployed by itself"));
    for (const d of deployments) {
      const first = make("p", "", make("b", d.node), " ", make("span", d.outcome + (d.action === "switch" ? "" : ", action " + d.action)));
      const box = make("div", "", first);
      box.className = "deployment" + (bad(d) ? " badly" : "");
      const n = graph.nodes.find((n) => n.node === d.node);
      if (n && !bad(d)) box.style.borderColor = `var(--n${n.color})`;
      if (d.reason) box.append(make("p", d.reason));
      const facts = [when(d.finished), `took ${(d.millis / 1000).toFixed(1)} s`];
      if (d.by) facts.push("by " + d.by);
      if (d.from) facts.push("from " + d.from);
      const more = make("p", facts.join(", "));
      more.className = "soft";
      const id = make("p", d.deployment);
      id.className = "soft";
      box.append(more, id);
      details.append(box);
    }
  }

  function choose(i) {
    if (i < 0 || i >= bands.length) return;
    if (chosen >= 0) bands[chosen].classList.remove("chosen");
    chosen = i;
    bands[i].classList.add("chosen");
    show(i);
    // Below the header, which stays.
    const box = bands[i].getBoundingClientRect();
    if (box.top < 90 || box.bottom > innerHeight - 30) {
      scrollBy({ top: box.top - innerHeight / 2 });
    }
  }

  // Rows that neither the search nor the picked node means are dimmed.
  function filter() {
    const word = find.value.trim().toLowerCase();
    graph.commits.forEach((c, i) => {
      const text = [c.commit, c.author, c.subject, ...(c.deployments || []).flatMap((d) => [d.node, d.by, d.outcome, d.reason])].join("\n").toLowerCase();
      const n = graph.nodes[picked];
      const of = !n || c.node === n.node || n.current === c.commit || (c.deployments || []).some((d) => d.node === n.node);
      const dim = !(of && text.includes(word));
      rows[i].classList.toggle("dim", dim);
      bands[i].classList.toggle("dim", dim);
    });
    nodes.forEach((e, i) => e.classList.toggle("picked", i === picked));
  }

  function move(step, wanted) {
    for (let i = chosen + step; i >= 0 && i < rows.length; i += step) {
      if (wanted(i)) return choose(i);
    }
  }
  const visible = (i) => !rows[i].classList.contains("dim");
  const failing = (i) => (graph.commits[i].deployments || []).some(bad);
  function failure() {
    if (!graph.commits.some((c, i) => i > chosen && failing(i))) chosen >= 0 && bands[chosen].classList.remove("chosen"), (chosen = -1);
    move(1, failing);
  }
  function theme() {
    const dark = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  }

  picture.addEventListener("click", (e) => {
    const node = e.target.closest(".node"), row = e.target.closest("[data-row]");
    if (node) {
      picked = picked === +node.dataset.node ? -1 : +node.dataset.node;
      filter();
    } else if (row) choose(+row.dataset.row);
  });
  find.addEventListener("input", filter);
  document.getElementById("fail").addEventListener("click", failure);
  document.getElementById("theme").addEventListener("click", theme);
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape") {
      find.value = "";
      picked = -1;
      filter();
      return picture.focus({ preventScroll: true });
    }
    if (e.target === find) {
      if (e.key === "Enter") { picture.focus({ preventScroll: true }); chosen = -1; move(1, visible); }
      return;
    }
    const keys = {
      ArrowDown: () => move(1, visible), j: () => move(1, visible),
      ArrowUp: () => move(-1, visible), k: () => move(-1, visible),
      Home: () => choose(0), End: () => choose(bands.length - 1),
      f: failure, t: theme, "/": () => find.focus(),
    };
    if (!keys[e.key]) return;
    e.preventDefault();
    keys[e.key]();
  });
  if (bands.length) choose(0);
})();
