import { type Calibration, calibrationOfTokens } from '../train/calibration.ts';
import type { RowScore } from '../train/row-scores.ts';

export type { Calibration, CalibrationBin } from '../train/calibration.ts';

/** Over all label tokens of the rows; nothing where no token was scored. */
export function calibrationOf(rows: readonly RowScore[]): Calibration | undefined {
  return calibrationOfTokens(rows.flatMap(({ tokens }) => tokens));
}
