// 大同 datong.js: sharpening only. Every page is complete and can be submitted without it.
// A chart is drawn from the table inside its own figure, so the table is the single source and the fallback.

const root = document.documentElement;
const token = name => getComputedStyle(root).getPropertyValue(name).trim();

// Charts ------------------------------------------------------------------------------------------------------

function readTable(table) {
  const rows = [...table.tBodies[0].rows].map(row =>
    [...row.cells].map(cell => cell.dataset.v ?? cell.textContent.trim().replaceAll(',', '')));
  const names = [...table.tHead.rows[0].cells].map(cell => cell.dataset.name ?? cell.textContent.trim());
  const number = text => (text === '' || Number.isNaN(Number(text)) ? null : Number(text));
  return {
    x: rows.map(row => row[0]),
    series: names.slice(1).map((name, k) => ({ name, data: rows.map(row => number(row[k + 1])) })),
  };
}

function chartOption(figure) {
  const { kind = 'line', unit = '', stack, mark, min, colours = '1 2 3 4 5 6' } = figure.dataset;
  const { x, series } = readTable(figure.querySelector('table'));
  const text = { color: token('--dt-ink-2'), fontFamily: token('--dt-sans'), fontSize: 12 };
  const axis = {
    axisLabel: text,
    axisLine: { lineStyle: { color: token('--dt-edge') } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: token('--dt-line') } },
  };
  const palette = colours.split(' ').map(k => token(`--dt-c${k}`));
  const labelled = kind === 'line' && series.length <= 4;
  const threshold = mark && {
    silent: true, symbol: 'none',
    lineStyle: { color: token('--dt-warn'), type: 'dashed' },
    label: { color: token('--dt-warn'), formatter: mark.split('|')[1], position: 'insideEndTop', fontSize: 12 },
    data: [{ yAxis: Number(mark.split('|')[0]) }],
  };
  return {
    animation: false, color: palette, textStyle: text, aria: { enabled: true },
    grid: { left: 8, right: labelled ? 92 : 12, top: 28, bottom: 4, containLabel: true },
    legend: labelled || series.length < 2 ? undefined
      : { top: 0, right: 12, itemWidth: 10, itemHeight: 10, icon: 'rect', textStyle: text },
    tooltip: {
      trigger: 'axis', renderMode: 'richText',      // drawn on the canvas: an HTML tooltip would need style attributes
      backgroundColor: token('--dt-surface'), borderColor: token('--dt-line'),
      textStyle: { ...text, color: token('--dt-ink') },
    },
    xAxis: { type: 'category', data: x, boundaryGap: kind === 'bar', ...axis, splitLine: { show: false } },
    yAxis: {
      type: 'value', name: unit, nameTextStyle: { ...text, align: 'left' }, scale: figure.dataset.scale !== undefined,
      min: min && Number(min), minInterval: kind === 'bar' ? 1 : undefined, ...axis, axisLine: { show: false },
    },
    series: series.map((one, k) => ({
      ...one, type: kind === 'bar' ? 'bar' : 'line', stack, barMaxWidth: 18, connectNulls: false,
      symbol: one.data.length < 2 ? 'circle' : 'none', lineStyle: { width: 2 }, labelLayout: { moveOverlap: 'shiftY' },
      endLabel: labelled
        ? { show: true, formatter: one.name, color: palette[k], fontSize: 12, fontFamily: text.fontFamily } : undefined,
      markLine: k === 0 ? threshold : undefined,
    })),
  };
}

const charts = new Map();

function draw(figure) {
  if (!window.echarts || charts.has(figure)) return;
  figure.classList.add('on');
  figure.querySelector('details').open = false;
  const chart = window.echarts.init(figure.querySelector('.cv'));
  chart.setOption(chartOption(figure));
  charts.set(figure, chart);
}

function drawAll() { document.querySelectorAll('figure.dt-chart').forEach(draw); }
function redrawAll() { charts.forEach((chart, figure) => chart.setOption(chartOption(figure))); }

addEventListener('resize', () => charts.forEach(chart => chart.resize()));

// Theme: the form posts and the server remembers; here it is posted without leaving the page ---------------------

document.querySelectorAll('form[data-theme-form]').forEach(form => form.addEventListener('submit', event => {
  event.preventDefault();
  const button = form.querySelector('button');
  const theme = button.value;
  root.dataset.bsTheme = theme;
  fetch(form.action, { method: 'POST', body: new URLSearchParams({ ...Object.fromEntries(new FormData(form)), theme }) });
  document.querySelectorAll('form[data-theme-form] button').forEach(other => {
    other.value = theme === 'dark' ? 'light' : 'dark';
    other.textContent = theme === 'dark' ? other.dataset.light : other.dataset.dark;
  });
  redrawAll();
}));

// Forms: a submitted button says so and cannot be pressed twice; the first error takes the focus -----------------

document.addEventListener('submit', event => {
  const button = event.submitter;
  if (!button || event.defaultPrevented || !button.dataset.busy) return;
  setTimeout(() => { button.disabled = true; button.textContent = button.dataset.busy; });
});
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });

document.querySelector('[data-focus]')?.focus();

// Counting what is chosen in a list of check boxes ---------------------------------------------------------------

document.querySelectorAll('[data-count-of]').forEach(label => {
  const boxes = [...document.querySelectorAll(`input[name="${label.dataset.countOf}"]`)];
  const show = () => { label.textContent = label.dataset.text.replace('{n}', boxes.filter(box => box.checked).length); };
  boxes.forEach(box => box.addEventListener('change', show));
  show();
});

drawAll();
document.addEventListener('htmx:afterSwap', drawAll);
