/** scripts/bench [starts|lives|pulls|commits]: measures, then prints the table. Never a pass or a fail: a shared machine's clock is no judge. */
import { benchCommits } from "./commits.ts";
import { openLaboratory } from "./laboratory.ts";
import { benchLives } from "./lives.ts";
import { benchPulls } from "./pulls.ts";
import { benchStarts, prepareStarts } from "./starts.ts";
import { markdown, type Row } from "./table.ts";

const [which] = Bun.argv.slice(2);
await using lab = await openLaboratory();
const rows: Row[] = [];
if (which !== "pulls") await prepareStarts(lab);
if (which === undefined || which === "starts") rows.push(...(await benchStarts(lab)));
if (which === undefined || which === "lives") rows.push(...(await benchLives(lab)));
if (which === undefined || which === "commits") rows.push(...(await benchCommits(lab)));
if (which === undefined || which === "pulls") rows.push(...(await benchPulls(lab)));
console.log(markdown(rows));
