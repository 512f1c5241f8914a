// The look of <document-progress>. A constructed sheet, because a <style> element would need a looser CSP.
//
// Set from outside: --pagestream-{text, muted, track, accent, ok, warn, bad, bar-height, number-size} and the parts.

const CSS = `
:host {
  --text: var(--pagestream-text, light-dark(#1d2430, #e8ebf1));
  --muted: var(--pagestream-muted, light-dark(#5b6676, #9da8b8));
  --track: var(--pagestream-track, light-dark(#e6e9ef, #2a303b));
  --accent: var(--pagestream-accent, light-dark(#2f62d9, #7ba2ff));
  --ok: var(--pagestream-ok, light-dark(#1a7f4b, #54c88b));
  --warn: var(--pagestream-warn, light-dark(#9a5b00, #f0b352));
  --bad: var(--pagestream-bad, light-dark(#c0322f, #ff8a80));
  --tone: var(--accent);
  display: block; color: var(--text); color-scheme: inherit; line-height: 1.45;
}
:host([hidden]), [hidden] { display: none !important; }
:host([kind="completed"]) { --tone: var(--ok); }
:host([kind="partial"]), :host([kind="retrying"]), :host([kind="stalled"]) { --tone: var(--warn); }
:host([kind="failed"]), :host([kind="refused"]), :host([kind="unavailable"]) { --tone: var(--bad); }
:host([kind="uploading"]) .bar { background: color-mix(in srgb, var(--accent) 45%, var(--track)); }
:host([kind="pending"]) .bar { transition: none; } /* sent is not processed: the bar starts anew */
:host([kind="pending"]), :host([kind="cancelling"]), :host([kind="cancelled"]), :host([kind="loading"]),
:host([kind="deleted"]) { --tone: var(--muted); }
.head { display: flex; align-items: baseline; gap: .4rem .75rem; flex-wrap: wrap; }
.heading { flex: 1 1 10rem; min-width: 0; overflow-wrap: anywhere; font-weight: 600; }
.state { display: inline-flex; align-items: baseline; gap: .6rem; margin-inline-start: auto; }
.label { color: var(--tone); font-size: .875rem; font-weight: 600; white-space: nowrap; }
.label::before {
  content: ""; display: inline-block; width: .5em; height: .5em; margin-inline-end: .45em; border-radius: 50%;
  background: currentColor; vertical-align: .1em;
}
.percent {
  font-size: var(--pagestream-number-size, 1rem); font-variant-numeric: tabular-nums; min-width: 3.2em; text-align: end;
}
.percent:empty { display: none; }
.track {
  position: relative; overflow: hidden; height: var(--pagestream-bar-height, .5rem); margin: .45rem 0 .4rem;
  border-radius: 99px; background: var(--track);
}
.bar {
  display: block; height: 100%; width: 0; border-radius: inherit; background: var(--tone);
  transition: width .35s ease-out, background-color .3s;
}
:host([kind="running"]) .bar::after, :host([kind="uploading"]) .bar::after, :host([kind="storing"]) .bar::after {
  content: ""; display: block; height: 100%; border-radius: inherit; animation: sheen 2.2s ease-in-out infinite;
  background: linear-gradient(90deg, transparent, rgb(255 255 255 / .38), transparent);
}
:host([kind="stalled"]) .bar, :host([kind="retrying"]) .bar {
  background-image: repeating-linear-gradient(135deg, transparent 0 6px, rgb(255 255 255 / .3) 6px 12px);
}
@keyframes sheen { from { transform: translateX(-100%); } to { transform: translateX(100%); } }
.foot {
  display: flex; align-items: center; gap: .35rem .75rem; flex-wrap: wrap; min-height: 1.9rem;
  font-size: .875rem; color: var(--muted);
}
.text { flex: 1 1 14rem; min-width: 0; overflow-wrap: anywhere; }
.dot { margin-inline: .45em; }
.message:empty + .dot, .dot:has(+ .details:empty) { display: none; }
.connection { display: block; font-size: .75rem; }
.connection:empty { display: none; }
.message { color: var(--text); }
.details { font-variant-numeric: tabular-nums; }
.buttons { display: flex; gap: .4rem; margin-inline-start: auto; }
button {
  font: inherit; font-size: .8125rem; padding: .25rem .7rem; border-radius: .5rem; cursor: pointer; color: var(--text);
  border: 1px solid color-mix(in srgb, var(--muted) 35%, transparent); background: transparent;
}
button:hover { border-color: var(--tone); color: var(--tone); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button:disabled { opacity: .5; cursor: default; }
.error {
  margin: .3rem 0 .4rem; padding: .5rem .75rem; border-inline-start: 3px solid var(--tone); border-radius: .3rem;
  background: color-mix(in srgb, var(--tone) 9%, transparent); font-size: .9rem; overflow-wrap: anywhere;
}
.error > * { display: block; }
.error > :empty { display: none; }
.where { color: var(--muted); font-size: .8125rem; }
.live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { .bar { transition: none; } .bar::after { content: none !important; } }
@media (forced-colors: active) {
  .track { border: 1px solid CanvasText; } .bar { background: Highlight; forced-color-adjust: none; }
}
`;

export const styles = new CSSStyleSheet();
styles.replaceSync(CSS);
