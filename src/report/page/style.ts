/** The page's style sheet. Charts take their colours from it by class. */
export const style = `
:root{color-scheme:light dark;--page:#fff;--text:#1f2328;--quiet:#59636e;--line:#d1d9e0;--panel:#f6f8fa;
--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--right:#1a7f37;--wrong:#cf222e}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#f0f6fc;--quiet:#9198a1;--line:#3d444d;--panel:#151b23;
--s0:#4493f8;--s1:#f0883e;--s2:#3fb950;--s3:#ab7df8;--right:#3fb950;--wrong:#f85149}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 16px}
header{padding-top:24px}
footer{padding-bottom:32px;color:var(--quiet);font-size:13px}
h1{font-size:26px;line-height:1.25;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:20px;margin:40px 0 8px;padding-top:12px;border-top:1px solid var(--line)}
h3{font-size:15px;margin:8px 0 6px;overflow-wrap:anywhere}
p{margin:0 0 12px;max-width:90ch}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;padding:0;margin:12px 0 0}
a{color:var(--s0)}
.quiet{color:var(--quiet)}
.notice{border-left:4px solid var(--s1);background:var(--panel);padding:8px 12px;max-width:75ch;overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:24px 20px;margin:12px 0}
figure{margin:0;min-width:0}
figcaption{color:var(--quiet);font-size:13px;margin-top:6px}
svg{display:block;width:100%;max-width:420px;height:auto;background:var(--panel);border-radius:6px}
svg text{font-family:system-ui,sans-serif;fill:var(--text)}
.tick{font-size:11px}.label{font-size:12px}
svg .tick,svg .label{fill:var(--quiet)}
.grid{stroke:var(--line);stroke-width:1}
.moment{stroke:var(--quiet);stroke-width:1;stroke-dasharray:2 3}
.border{fill:none;stroke:var(--line)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.s1{stroke-dasharray:7 3}.line.s2{stroke-dasharray:2 3}.line.s3{stroke-dasharray:9 3 2 3}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}
.dot.s0,.area.s0,.bar.s0{fill:var(--s0)}.dot.s1,.area.s1{fill:var(--s1)}.dot.s2,.area.s2{fill:var(--s2)}
.dot.s3,.area.s3{fill:var(--s3)}
.area,.bar{stroke:none}.area{fill-opacity:.18}
.positive{fill:var(--s0)}.negative{fill:var(--s1)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;padding:0;margin:6px 0 0;font-size:13px}
.legend svg{display:inline-block;width:26px;height:10px;background:none;vertical-align:middle;margin-right:5px}
.legend li{overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:14px}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.text{min-width:6em}
td.number,th.number{text-align:right;white-space:nowrap}
td.fault{color:var(--wrong)}
.wide td.text:last-child{min-width:9em}
@media (max-width:600px){th,td{padding-right:9px}}
.query{margin:20px 0 28px}
.gallery{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,560px),1fr));gap:16px 28px}
.asked{display:flex;gap:12px;align-items:center;margin-bottom:10px}
.asked p{margin:0;overflow-wrap:anywhere;min-width:0}
.ranked{list-style:none;display:grid;grid-template-columns:repeat(5,minmax(0,124px));gap:8px;padding:0;margin:6px 0 0}
.ranked li{min-width:0;font-size:12px;line-height:1.3;overflow-wrap:anywhere}
.picture{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:var(--panel);border-radius:4px}
.asked .picture{width:104px;flex:none}
.right .picture{border:3px solid var(--right)}
.wrong .picture{border:3px dashed var(--wrong)}
.right b{color:var(--right)}.wrong b{color:var(--wrong)}
@media (min-width:1000px){.gallery.alone .ranked{grid-template-columns:repeat(10,minmax(0,124px))}}
div.picture{display:flex;align-items:center;justify-content:center;font-size:11px;color:var(--quiet);text-align:center}
.attention{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,360px),1fr));gap:20px}
.attention{margin-bottom:24px}
.key{columns:2;column-gap:32px;margin:6px 0 0;padding-left:24px;overflow-wrap:anywhere}
.triple{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:6px}
.triple span{font-size:12px;color:var(--quiet)}
.triple .picture{image-rendering:auto}
pre{background:var(--panel);padding:12px;overflow-x:auto;font-size:13px;border-radius:6px}
summary{cursor:pointer}
@media print{h2{break-after:avoid}figure,.query{break-inside:avoid}}
`;
