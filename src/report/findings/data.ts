import type { DataCheck } from '../../check/data-check.ts';
import { count, percent } from '../../words.ts';
import type { Finding } from '../findings.ts';
import type { RunStory } from '../run-story.ts';

/** Below this share of its rows or pictures, a fault of the data moves no figure that anybody would read. */
const worthTelling = 0.01;

/** What the check before step 1 found and the run's figures suffer from. */
export function dataFindings({ record }: RunStory): Finding[] {
  const check = record?.check;
  return check ? [...sharedFindings(check), ...saturatedFindings(check)] : [];
}

function sharedFindings({ shared, splits }: DataCheck): Finding[] {
  const rows = splits.find(({ split }) => split === 'validation')?.rows ?? 0;
  if (!shared || rows === 0) return [];
  const { same, near, groups } = shared;
  const found: Finding[] = [];
  const asked = same.rows + near.rows;
  if (asked / rows >= worthTelling) {
    const alike = near.pictures > 0 ? ` and ${count(near.pictures, 'near-duplicate')}` : '';
    found.push({
      kind: 'shared-pictures',
      title: 'Validation asks about pictures that were trained on',
      evidence:
        `${count(same.pictures, 'validation picture')}${alike} also stand in the training data; ` +
        `${count(asked, 'row')} of ${count(rows, 'validation row')} (${percent(asked / rows)}) ask about them.`,
      suggestion:
        'Keep each picture on one side of the split (data.validation). Until then the validation figures say more about ' +
        'remembered pictures than about new ones.',
    });
  }
  if (groups && groups.rows / rows >= worthTelling) {
    found.push({
      kind: 'shared-groups',
      title: 'Groups stand on both sides of the split',
      evidence:
        `${count(groups.count, 'group')} of validation also stand in training, with ${count(groups.rows, 'row')} ` +
        `of ${count(rows, 'validation row')} (${percent(groups.rows / rows)}).`,
      suggestion: 'Split the data by group (data.fields.group: patient, video), so that validation is new.',
    });
  }
  return found;
}

function saturatedFindings({ splits }: DataCheck): Finding[] {
  const distinct = splits.reduce((sum, { images }) => sum + images.distinct, 0);
  const white = splits.reduce((sum, { images }) => sum + images.saturated.count, 0);
  const sixteenBit = splits.reduce((sum, { images }) => sum + images.saturated.sixteenBit, 0);
  if (white === 0 || white / distinct < worthTelling) return [];
  return [
    {
      kind: 'saturated-pictures',
      title: 'Pictures are nearly all white',
      evidence:
        `${count(white, 'picture')} of ${distinct} have more than 90 % of their pixels at the top of the range` +
        `${sixteenBit > 0 ? `; ${sixteenBit} of them are 16-bit grey` : ''}.`,
      suggestion:
        sixteenBit > 0
          ? 'Set image.sixteenBit: scale, which maps the 16 bits onto the range instead of cutting them off.'
          : 'Look at them: the model saw nothing in them to answer from.',
    },
  ];
}
