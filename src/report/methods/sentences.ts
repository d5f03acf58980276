/** What a run of Lorikeet did, sentence by sentence, each from its record; what the record does not hold is not said. */
import { count, figure, number, percent } from '../../words.ts';
import { configOf } from '../curves.ts';
import { metricWords } from '../glossary.ts';
import type { RunStory } from '../run-story.ts';
import {
  bestOf,
  distinctPictures,
  finalOf,
  isQwen2vl,
  loraOf,
  modelName,
  progressOf,
  rowsPerStep,
  trainedOf,
} from './known-run.ts';
import { cite, code, formula, type Prose, say, scientific } from './prose.ts';

type Sentence = (story: RunStory) => Prose | undefined;

/** The mean over M, all label tokens of an optimizer step's rows. */
export const lossFormula = String.raw`\mathcal{L} = -\frac{1}{|M|} \sum_{(i,t) \in M} \ln p_\theta(x_{i,t} \mid x_{i,<t})`;

const model: Sentence = (story) => {
  const { base } = story.record ?? {};
  const name = modelName(story);
  const what = isQwen2vl(story)
    ? say`Qwen2-VL ${cite('wang2024qwen2vl')}, a vision-language transformer ${cite('vaswani2017attention')}`
    : say`a vision-language model${base && ` of type ${base.modelType}`}`;
  const size = base && ` with ${number(base.parameters)} parameters`;
  const stored = base && base.dtypes.length > 0 ? ` (weights stored as ${base.dtypes.join(' and ')})` : '';
  return say`We fine-tuned ${what}${size}${name === undefined ? undefined : say`, from the checkpoint ${code(name)}${stored}`}.`;
};

const adapter: Sentence = (story) => {
  const { record } = story;
  const trained = trainedOf(story);
  if (record?.method === 'full')
    return say`Chosen parameters were trained whole${trained && `: ${trained}`}; all others stayed as they were.`;
  const lora = loraOf(story);
  if (!lora) return undefined;
  const scale = lora.rslora
    ? say`rank-stabilised scale ${formula(String.raw`\alpha / \sqrt{r}`)} ${cite('kalajdzievski2023rank')} = ${lora.scale.toPrecision(4)}`
    : say`scale ${formula(String.raw`\alpha / r`)} = ${Number(lora.scale.toPrecision(4))}`;
  const modules = record?.trained?.modules;
  const targets = Array.isArray(lora.targetModules) ? lora.targetModules.join(', ') : lora.targetModules;
  const begun = configOf(story).adapter ? ', going on from an earlier adapter' : '';
  return say`Low-rank adapters (LoRA) ${cite('hu2022lora')} of rank ${lora.rank}, alpha ${lora.alpha}, ${scale} and dropout ${lora.dropout} were trained on ${modules === undefined ? 'the' : `${modules}`} linear modules${targets === '' ? undefined : say` (${code(targets)})`}${begun}${trained && `: ${trained}`}; the base stayed frozen.`;
};

const loss: Sentence = () =>
  say`The loss was the next-token cross-entropy ${cite('bengio2003neural', 'radford2018improving', 'radford2019language')} of the assistant's turns alone ${cite('liu2023visual')}: their words, the token that ends each turn and the line break after it. System text, questions, role headers, image and padding tokens were masked. The loss of an optimizer step was the mean over the set ${formula('M')} of all label tokens of its rows, ${formula(lossFormula)}, natural logarithm, so that every label token weighs the same however the rows were batched.`;

const scheduleWords = {
  linear: 'falling linearly to 0',
  cosine: 'falling along half a cosine wave to 0',
  constant: 'held constant',
};

const optimizer: Sentence = (story) => {
  const { learningRate, weightDecay, schedule, warmupSteps, warmupRatio, maxGradNorm } =
    configOf(story).train ?? {};
  if (learningRate === undefined) return undefined;
  const warm = warmupRatio === undefined ? warmupSteps : Math.ceil(warmupRatio * (progressOf(story).of ?? 0));
  const decay =
    weightDecay === undefined
      ? ''
      : weightDecay === 0
        ? ' and no weight decay'
        : `, weight decay ${weightDecay} except on biases and norms`;
  const warmup =
    warm === undefined ? '' : warm > 0 ? ` after ${count(warm, 'warm-up step')}` : ', without warm-up';
  const course = schedule && `, ${scheduleWords[schedule]}${warmup}`;
  const clip =
    maxGradNorm === undefined
      ? ''
      : maxGradNorm === 0
        ? ' Gradients were not clipped.'
        : ` Gradients were clipped to a global norm of ${maxGradNorm}.`;
  return say`We used AdamW ${cite('loshchilov2019decoupled')} with ${formula(String.raw`\beta_1 = 0.9,\ \beta_2 = 0.999,\ \epsilon = 10^{-8}`)}${decay}. The learning rate was ${scientific(learningRate)} at its highest${course}.${clip}`;
};

const course: Sentence = (story) => {
  const rows = rowsPerStep(story);
  const { step, of, epoch } = progressOf(story);
  const { status, record } = story;
  const each = rows === undefined ? '' : ` of ${rows === 1 ? 'one row' : `up to ${rows} rows`}`;
  const epochs = record?.epochs;
  const reached =
    epoch !== undefined && epochs !== undefined && epoch < epochs
      ? `, in epoch ${epoch} of the ${epochs} that were set`
      : epochs === undefined
        ? ''
        : `, ${count(epochs, 'epoch')}`;
  const early = story.finish?.stoppedEarly;
  const ends = {
    finished: early
      ? `Training ended after ${step} of ${of ?? 'its'} optimizer steps${each}${reached}, when ${count(early.patience, 'evaluation')} in a row had not improved the ${metricWords[story.finish?.best?.metric ?? 'loss']} on the validation data`
      : `Training took ${count(step, 'optimizer step')}${each}${reached}`,
    stopped: `Training was stopped after ${step} of ${of ?? 'its'} optimizer steps${each}${reached}`,
    failed: `Training failed after ${step} of ${of ?? 'its'} optimizer steps${each}${reached}`,
    running: `Training had done ${step} of ${of ?? 'its'} optimizer steps${each} when this was written${reached}`,
    unknown: `${count(step, 'optimizer step')}${each} are recorded${reached}`,
  };
  const { train, pack } = configOf(story);
  const { shuffle, seed } = train ?? {};
  const isGrouped = pack?.order === 'groups' && pack.maxBranches !== undefined;
  const order =
    shuffle === undefined
      ? ''
      : shuffle
        ? `; ${isGrouped ? `groups of up to ${count(pack.maxBranches!, 'row')} about the same pictures` : 'rows'} were shuffled anew for each epoch`
        : '; rows kept the order of their file';
  const known = record?.seed ?? seed;
  return say`${ends[status]}${order}${known === undefined ? '' : ` (seed ${known})`}.`;
};

const data: Sentence = (story) => {
  const { train, validation } = story.record?.data ?? {};
  if (!train) return undefined;
  const pictures = (split: typeof train, name: 'train' | 'validation') => {
    const distinct = distinctPictures(story, name);
    return distinct === undefined
      ? `with ${count(split.images, 'image')}`
      : `about ${count(distinct, 'picture')}`;
  };
  const words = (split: typeof train, name: 'train' | 'validation') =>
    `${count(split.rows, 'row')} ${pictures(split, name)} (${number(split.labelTokens)} of ` +
    `${count(split.tokens, 'token')} were labels${split.skipped > 0 ? `; ${count(split.skipped, 'row')} could not be used and were left out` : ''})`;
  const { maxPixels } = configOf(story).image ?? {};
  const resized =
    maxPixels === undefined ? '' : ` Pictures were resized to at most ${number(maxPixels)} pixels.`;
  const cut =
    train.cutRows > 0
      ? ` ${count(train.cutRows, 'training row')} lost the end of the text to the length limit.`
      : '';
  return say`The training data were ${words(train, 'train')}${validation ? `, the validation data ${words(validation, 'validation')}` : '; there were no validation data'}.${cut}${resized}`;
};

const shared: Sentence = ({ record }) => {
  const { shared: both, splits } = record?.check ?? {};
  const rows = splits?.find(({ split }) => split === 'validation')?.rows;
  if (!both || !rows) return undefined;
  const asked = both.same.rows + both.near.rows;
  if (asked === 0)
    return say`No validation picture was found in the training data, by content or as a near-duplicate.`;
  return say`The splits are not independent: ${count(asked, 'validation row')} of ${number(rows)} ask about pictures that also stand in the training data, the same or near-duplicates.`;
};

const evaluation: Sentence = (story) => {
  const { evaluations, baseline } = story;
  if (evaluations.length === 0) return undefined;
  const when = baseline ? 'before the first step and ' : '';
  return say`The validation rows were scored without dropout ${when}at ${count(evaluations.length, baseline ? 'later step' : 'step')}; the loss is the mean over all their label tokens. Token accuracy is the share of label tokens that were the likeliest token given the tokens before them; exact match is the share of assistant turns of which this holds for every content token and for the token that ends the turn.`;
};

const figures: Sentence = (story) => {
  const last = finalOf(story);
  if (!last) return undefined;
  const { baseline } = story;
  const pairs: [string, number | null | undefined, number | null | undefined, (value: number) => string][] = [
    ['a loss of', last.loss, baseline?.loss, figure],
    ['an answer loss (content tokens alone) of', last.answerLoss, baseline?.answerLoss, figure],
    ['a token accuracy of', last.tokenAccuracy, baseline?.tokenAccuracy, percent],
    ['an exact match of', last.exactMatch, baseline?.exactMatch, percent],
  ];
  const told = pairs.flatMap(([name, value, before, words]) =>
    value == null ? [] : [`${name} ${words(value)}${before == null ? '' : ` (base: ${words(before)})`}`],
  );
  const best = bestOf(story)!;
  const least =
    best.step === last.step
      ? ''
      : ` The lowest validation loss, ${figure(best.loss)}, was that of step ${best.step}.`;
  return say`At step ${last.step} the model had ${listed(told)} on the validation data.${least}`;
};

function listed(parts: string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

const answers: Sentence = (story) => {
  const given = finalOf(story)?.answers;
  if (!given) return undefined;
  const { rows, exactMatch, interval, f1, floor } = given;
  const range = interval
    ? ` (95 % interval ${percent(interval.low)} to ${percent(interval.high)}, clustered bootstrap)`
    : '';
  return say`Of ${count(rows, 'validation row')} that were asked at every evaluation, with greedy decoding, the answers at step ${finalOf(story)!.step} were right in ${percent(exactMatch)}${range} after trimming and lower-casing, with a token F1 of ${percent(f1)}; always giving the commonest training answer to the question would be right in ${percent(floor)}.`;
};

const gap: Sentence = (story) => {
  const last = finalOf(story);
  if (!last?.gap || !last.train) return undefined;
  const { value, low, high } = last.gap;
  return say`The same ${count(last.train.rows, 'training row')}, scored in the same way at the same step, had a loss of ${figure(last.train.loss)}: a gap of ${figure(value)} (95 % interval ${figure(low)} to ${figure(high)}, bootstrap over pictures).`;
};

const chance: Sentence = ({ record, evaluations }) => {
  const known = record?.check?.chance;
  if (!known || evaluations.length === 0) return undefined;
  return say`For comparison, guessing the answers by how often the training data give them, without picture or question, would cost ${figure(known.answers)} per content token, and guessing tokens uniformly ${figure(known.uniform)}.`;
};

const calibration: Sentence = (story) => {
  const last = finalOf(story);
  if (last?.calibrationError === undefined) return undefined;
  return say`The expected calibration error ${cite('guo2017calibration')} over label tokens, in ten bins of the likeliest token's probability, was ${figure(last.calibrationError)}.`;
};

const engine: Sentence = ({ record }) => {
  const { versions, device, platform } = record ?? {};
  if (!versions) return undefined;
  const onnx = versions.onnxruntime && `, ONNX Runtime ${versions.onnxruntime}`;
  const node = versions.node && `, Node ${versions.node}`;
  const where =
    device === undefined
      ? ''
      : ` on the ${device === 'cpu' ? 'CPU' : device}${platform?.cpu ? ` (${platform.cpu})` : ''}`;
  return say`Sums were computed in 32-bit floating point${where}, whatever the weights are stored as (Lorikeet ${versions.lorikeet}${onnx}${node}).`;
};

export const sentences: readonly Sentence[] = [
  model,
  adapter,
  loss,
  optimizer,
  course,
  data,
  shared,
  evaluation,
  figures,
  answers,
  gap,
  chance,
  calibration,
  engine,
];
