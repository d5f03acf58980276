import type { Target } from './target.ts';
import { checkpointTargets } from './targets/checkpoints.ts';
import { pictureTargets } from './targets/pictures.ts';
import { rowTargets } from './targets/rows.ts';
import { runTargets } from './targets/runs.ts';
import { textTargets } from './targets/texts.ts';

export const targets: Target[] = [
  ...checkpointTargets,
  ...rowTargets,
  ...pictureTargets,
  ...textTargets,
  ...runTargets,
];
