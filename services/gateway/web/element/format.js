// Numbers, sizes, times and page lists as people read them. Pure; `say` is a function of words.js.

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 81234 → "81 KB"; powers of 1000, as file managers show them. */
export function formatBytes(bytes, locale) {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  const digits = step === 0 || value >= 10 ? 0 : 1;
  return `${value.toLocaleString(locale, { maximumFractionDigits: digits })} ${UNITS[step]}`;
}

/** 42.57 → "42 %": rounded down, so that 100 is shown only when it is 100. */
export function formatPercent(percent, locale) {
  return `${Math.floor(percent).toLocaleString(locale)}\u00a0%`;
}

/** {low: 12, high: 20} in seconds → "12–20 s"; minutes from 90 s, hours from 90 min. */
export function formatRange({ low, high }, say) {
  if (high < 2) return say("eta.now");
  const [size, unit] = high < 90 ? [1, "s"] : high < 5400 ? [60, "min"] : [3600, "h"];
  const from = Math.max(1, Math.round(low / size));
  const to = Math.max(from, Math.round(high / size));
  return from === to ? `${to} ${unit}` : `${from}–${to} ${unit}`;
}

/** [3, 7, 8, 9] → "3, 7–9". */
export function formatPages(pages) {
  const runs = [];
  for (const page of [...pages].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && page <= last[1] + 1) last[1] = page;
    else runs.push([page, page]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

/** The time of day of an ISO instant, with the date when it is not today's, and with seconds on request. */
export function formatTime(iso, now, locale, withSeconds = false) {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date(now).toDateString();
  const day = isToday ? {} : { day: "numeric", month: "short" };
  const second = withSeconds ? { second: "2-digit" } : {};
  return at.toLocaleString(locale, { hour: "2-digit", minute: "2-digit", ...second, ...day });
}

/** How far an instant is: "in 12 s", or "any moment" when it has passed. */
export function formatWait(iso, now, say) {
  const seconds = Math.ceil((Date.parse(iso) - now) / 1000);
  if (!(seconds > 0)) return say("retry.now");
  return say("retry.in", { range: formatRange({ low: seconds, high: Math.max(2, seconds) }, say) });
}
