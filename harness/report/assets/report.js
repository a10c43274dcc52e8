// Draws the plots of the report and wires its few controls. Runs from file://, asks no network.
(() => {
  'use strict';
  const all = JSON.parse(document.getElementById('data').textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const fmt = (v) => v == null ? '' : v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v >= 0.1 || v === 0 ? v.toFixed(2) : v.toFixed(3);
  const clock = (s) => {
    const neg = s < 0 ? '−' : '', a = Math.abs(Math.round(s)), m = Math.floor(a / 60);
    return neg + (m ? m + ':' + String(a % 60).padStart(2, '0') : a + ' s');
  };
  const plots = [];
  const log = new Set(); // topologies whose latency is drawn on a log scale

  // Shades the warm-up, marks events and seconds with failures.
  const marks = (d, main) => ({
    hooks: {
      drawClear: (u) => {
        const { ctx, bbox: b } = u, x = Math.max(u.valToPos(0, 'x', true), b.left), w = Math.min(u.valToPos(d.warmup, 'x', true), b.left + b.width);
        if (d.warmup <= 0 || w <= x) return;
        ctx.save();
        ctx.fillStyle = css('warm');
        ctx.fillRect(x, b.top, w - x, b.height);
        ctx.fillStyle = css('quiet');
        ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        if (main && w - x > 70 * devicePixelRatio) ctx.fillText('warm-up', x + 9 * devicePixelRatio, b.top + 14 * devicePixelRatio);
        ctx.restore();
      },
      draw: (u) => {
        const { ctx, bbox: b } = u, px = devicePixelRatio, inside = (x) => x >= b.left && x <= b.left + b.width;
        ctx.save();
        for (const e of d.events || []) {
          const x = u.valToPos(e.t, 'x', true);
          if (!inside(x)) continue;
          ctx.strokeStyle = ctx.fillStyle = e.planned ? css('quiet') : css('event');
          ctx.lineWidth = px; ctx.setLineDash([4 * px, 3 * px]);
          ctx.beginPath(); ctx.moveTo(x, b.top); ctx.lineTo(x, b.top + b.height); ctx.stroke();
          ctx.setLineDash([]);
          ctx.beginPath(); ctx.moveTo(x - 4 * px, b.top); ctx.lineTo(x + 4 * px, b.top); ctx.lineTo(x, b.top + 7 * px); ctx.fill();
        }
        if (main) {
          ctx.fillStyle = css('limit');
          d.t.forEach((t, i) => {
            const x = u.valToPos(t, 'x', true);
            if (d.failed[i] > 0 && inside(x)) ctx.fillRect(x - px, b.top + b.height - 9 * px, 2 * px, 9 * px);
          });
        }
        ctx.restore();
      },
    },
  });

  const axis = (more) => ({ stroke: css('quiet'), grid: { stroke: css('line'), width: 1 }, ticks: { stroke: css('line'), size: 4 }, font: '11px system-ui, sans-serif', ...more });
  const line = (label, colour, more) => ({ label, stroke: css(colour), width: 1.6, points: { show: false }, spanGaps: false, value: (_, v) => fmt(v), ...more });
  const time = { label: 'at', value: (_, v) => v == null ? '' : clock(v) };
  const timeAxis = () => axis({ size: 30, values: (_, vs) => vs.map(clock), incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600], space: 60 });
  const valueAxis = () => axis({ size: 54, values: (_, vs) => vs.map((v) => +v.toPrecision(4)) });
  const fromZero = (u, min, max) => [0, max > 0 ? max * 1.12 : 1];

  const component = (r) => r.component === 'postgresql' ? 'pg' : r.component === 'openbao' ? (r.role === 'standby' ? 'bao2' : 'bao') : 'stub';
  // A limit is drawn when it is near enough to read the use against it.
  const containers = (lines, unit) => {
    const series = [time], data = [];
    let top = 0;
    for (const r of lines || []) { for (const v of r.v) if (v > top) top = v; }
    const seen = new Set();
    for (const r of lines || []) {
      series.push(line(r.label, component(r), r.role === 'standby' ? { dash: [6, 3] } : {})); data.push(r.v);
    }
    for (const r of lines || []) {
      if (!r.limit || r.limit > 4 * top || seen.has(r.limit)) continue;
      seen.add(r.limit);
      series.push(line('limit ' + fmt(r.limit) + ' ' + unit, 'limit', { width: 1, dash: [2, 3], value: () => '' })); data.push(r.v.map(() => r.limit));
    }
    return { series, data };
  };

  const kinds = {
    latency: (d) => ({
      height: 280, data: [d.t, d.p99, d.p95, d.p50],
      opts: { plugins: [marks(d, true)], series: [time, line('p99', 'c3', { width: 1.2 }), line('p95', 'c2'), line('p50', 'c1', { width: 2 })], scales: { x: { time: false }, y: log.has(d) ? { distr: 3 } : { range: fromZero } }, axes: [timeAxis(), log.has(d) ? { ...valueAxis(), filter: (u, s) => s.map((v) => /^[125]/.test(v.toExponential()) && Math.abs(v / 10 ** Math.floor(Math.log10(v) + 1e-9) % 1) < 1e-9 ? v : null), values: (_, vs) => vs.map((v) => v == null ? '' : +v.toPrecision(4)) } : valueAxis()] },
    }),
    rate: (d) => ({
      height: 130, data: [d.t, d.rate, d.failed],
      opts: { plugins: [marks(d, false)], series: [time, line('completed', 'bao', { fill: css('area') }), line('failed, wrong or dropped', 'limit', { width: 0, fill: css('limit'), paths: uPlot.paths.bars({ size: [0.8, 40] }) })], scales: { x: { time: false }, y: { range: fromZero } }, axes: [timeAxis(), valueAxis()] },
    }),
    cpu: (d) => { const c = containers(d.cpu, 'cores'); return { height: 220, data: [d.res, ...c.data], opts: { plugins: [marks(d, false)], series: c.series, scales: { x: { time: false }, y: { range: fromZero } }, axes: [timeAxis(), valueAxis()] } }; },
    mem: (d) => { const c = containers(d.mem, 'MiB'); return { height: 220, data: [d.res, ...c.data], opts: { plugins: [marks(d, false)], series: c.series, scales: { x: { time: false }, y: { range: fromZero } }, axes: [timeAxis(), valueAxis()] } }; },
    curve: (d) => {
      const percent = (x) => { const p = 100 * (1 - 1 / x); return x <= 1 ? 'p0' : 'p' + +p.toPrecision(Math.max(2, Math.ceil(Math.log10(x)) + 1)); };
      return {
        height: 260, alone: true, data: [d.curve.x, d.curve.intended, d.curve.actual],
        opts: {
          series: [{ label: 'at', value: (_, v) => v == null ? '' : percent(v) }, line('from the intended start', 'c2', { width: 2.2 }), line('from the actual start', 'pg', { width: 1.4, dash: [5, 3] })],
          scales: { x: { time: false, distr: 3, range: (u, min, max) => [1, Math.max(max, 10)] }, y: { range: fromZero } },
          axes: [axis({ size: 30, filter: (u, s) => s, splits: () => [1, 2, 10, 100, 1000, 1e4, 1e5, 1e6].filter((x) => x <= d.curve.x[d.curve.x.length - 1]), values: (_, vs) => vs.map(percent) }), valueAxis()],
        },
      };
    },
  };

  const draw = () => {
    for (const p of plots.splice(0)) p.destroy();
    for (const box of document.querySelectorAll('[data-plots]')) {
      const id = box.dataset.plots, d = all[id];
      for (const el of box.querySelectorAll('.plot')) {
        const k = kinds[el.dataset.kind](d), x = k.data[0];
        el.replaceChildren();
        if (!x || !x.length) { el.textContent = 'Not measured.'; el.style.minHeight = 0; el.className = 'plot quiet'; continue; }
        const u = new uPlot({
          width: el.clientWidth, height: k.height, legend: { live: true, markers: { width: 0, fill: (u, i) => { const c = u.series[i].stroke; return typeof c === 'function' ? c(u, i) : c; } } },
          cursor: { sync: k.alone ? undefined : { key: id }, drag: { x: true, y: false, uni: 20 }, y: false, points: { size: 6 } }, ...k.opts,
        }, k.data, el);
        el.onkeydown = (e) => {
          const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: 10, PageUp: -10 }[e.key];
          if (!by) return;
          e.preventDefault();
          const i = Math.min(x.length - 1, Math.max(0, (u.cursor.idx ?? 0) + by));
          u.setCursor({ left: u.valToPos(x[i], 'x'), top: 10 });
        };
        plots.push(u);
      }
    }
    document.documentElement.dataset.plotted = plots.length;
  };

  const root = document.documentElement;
  const theme = matchMedia('(prefers-color-scheme: dark)');
  theme.addEventListener('change', draw);
  // Paper cannot unfold: what is folded for its length alone is printed, logs are not.
  let opened = [];
  addEventListener('beforeprint', () => { opened = [...document.querySelectorAll('details.group:not([open]), .hero details:not([open])')]; for (const d of opened) d.open = true; root.dataset.theme = 'light'; for (const d of document.querySelectorAll('.plots')) d.style.width = '680px'; draw(); });
  addEventListener('afterprint', () => { for (const d of opened) d.open = false; delete root.dataset.theme; for (const d of document.querySelectorAll('.plots')) d.style.width = ''; draw(); });
  let width = 0;
  new ResizeObserver(() => {
    if (root.dataset.theme || width === document.body.clientWidth) return; // sizes are fixed while printing
    width = document.body.clientWidth;
    for (const u of plots) u.setSize({ width: u.root.parentNode.clientWidth, height: u.height });
  }).observe(document.body);
  draw();

  for (const input of document.querySelectorAll('[data-search]')) {
    const id = input.dataset.search, card = document.getElementById(id), status = document.getElementById(id + '-status');
    const show = document.querySelector(`[data-show="${id}"]`), groups = [...card.querySelectorAll('details.group')];
    const rows = groups.map((g) => [...g.querySelectorAll('tbody tr')].map((el) => ({ el, text: el.textContent.toLowerCase(), status: el.dataset.status })));
    const folded = groups.map((g) => g.open), total = rows.reduce((n, r) => n + r.length, 0);
    input.closest('.search').hidden = false;
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/), any = Boolean(input.value.trim() || show.value);
      let shown = 0;
      groups.forEach((g, i) => {
        let here = 0;
        for (const r of rows[i]) {
          const hit = (!show.value || r.status === show.value) && words.every((w) => r.text.includes(w));
          r.el.hidden = !hit; here += hit;
        }
        g.hidden = !here; g.open = any ? here > 0 : folded[i]; shown += here;
      });
      status.textContent = any ? `${shown} of ${total} shown` : '';
    };
    input.addEventListener('input', filter);
    show.addEventListener('change', filter);
    filter();
  }
  for (const box of document.querySelectorAll('[data-log]')) {
    box.parentNode.hidden = false;
    box.addEventListener('change', () => { const d = all[box.dataset.log]; if (box.checked) log.add(d); else log.delete(d); draw(); });
  }
  const copy = document.getElementById('copy');
  if (navigator.clipboard && copy) {
    copy.hidden = false;
    copy.addEventListener('click', () => navigator.clipboard.writeText(document.getElementById('command').textContent).then(() => { copy.textContent = 'Copied'; }));
  }
})();
