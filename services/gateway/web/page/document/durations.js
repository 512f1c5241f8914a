// How long things took, from the rows of a timeline and the stages of a view. Pure; times in milliseconds.

/** 340 → "340 ms", 1200 → "1.2 s", 125000 → "2 min 5 s", 7500000 → "2 h 5 min". */
export function formatDuration(ms, locale) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toLocaleString(locale, { maximumFractionDigits: 1 })} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return joined(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  return joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

const joined = (many, unit, rest, small) => (rest ? `${many} ${unit} ${rest} ${small}` : `${many} ${unit}`);

/**
 * For each row `{since, took}`: time since the row before (null for the first), and for the end of a stage the time
 * since that stage last began (else null). Clocks of workers differ a little: nothing is shown as less than 0.
 */
export function timesOf(rows) {
  const began = new Map();
  return rows.map(({ type, stage, at }, index) => {
    const now = Date.parse(at);
    if (type === "StageStarted") began.set(stage, now);
    const ends = type === "StageCompleted" || type === "StageFailed";
    const since = index === 0 ? null : Math.max(0, now - Date.parse(rows[index - 1].at));
    return { since, took: ends && began.has(stage) ? Math.max(0, now - began.get(stage)) : null };
  });
}

/**
 * The stages of a view on one line of time: `{name, left, width, ms, open}`, the first two in percent of the time from
 * the upload to the end or the last change. Stages that have not begun are left out.
 */
export function spansOf({ stages = {}, uploaded_at: uploaded, completed_at: completed, updated_at: updated }) {
  const start = Date.parse(uploaded);
  const ends = Object.values(stages).map((stage) => Date.parse(stage.completed_at ?? stage.started_at) || start);
  const end = Math.max(Date.parse(completed ?? updated) || start, start + 1, ...ends);
  return Object.entries(stages)
    .filter(([, stage]) => stage.started_at)
    .map(([name, stage]) => {
      const from = Math.max(start, Date.parse(stage.started_at));
      const to = Math.max(from, stage.completed_at ? Date.parse(stage.completed_at) : end);
      const share = (ms) => (100 * ms) / (end - start);
      return { name, left: share(from - start), width: share(to - from), ms: to - from, open: !stage.completed_at };
    });
}
