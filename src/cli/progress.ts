import { bestFigure, lossAndAccuracy, metricWords } from '../report/glossary.ts';
import type {
  CheckEvent,
  Evaluation,
  FinishEvent,
  GivenAnswers,
  ScoringEvent,
  SkipEvent,
  StepEvent,
  TrainEvent,
  WarningEvent,
} from '../train/events.ts';
import { count, duration, number, percent, rate, shortPath, tokensPerSecond } from '../words.ts';
import { describeStart } from './start.ts';

/** Where the story of a run is told: a terminal, a pipe, a file. */
export interface Screen {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Tells events as they come. */
export interface Progress {
  show(event: TrainEvent): void;
  /** A line of its own, above the progress line where there is one. */
  line(text: string): void;
  /** Takes the progress line away where there is one. */
  clear(): void;
  /** Leaves the cursor on a fresh line. */
  end(): void;
}

/** Seconds between two plain lines where there is no terminal to rewrite one on. */
const plainInterval = 10;

/** Rows of a split that are told as they are lost, and warnings of a kind. */
const shownSkips = 3;
const shownWarnings = 3;

export function createProgress(screen: Screen, now = () => performance.now() / 1000): Progress {
  let current = '';
  let lastPlain = Number.NEGATIVE_INFINITY;
  let totalSteps = 0;
  let output = '';
  let explained = false;
  const warned = new Map<WarningEvent['kind'], number>();

  const erase = () => {
    if (current) screen.write('\r\x1b[2K');
  };
  const line = (text: string) => {
    erase();
    screen.write(`${text}\n`);
    if (current) screen.write(current);
  };
  const end = () => {
    if (current) screen.write('\n');
    current = '';
  };
  const rewrite = (text: string) => {
    erase();
    current = text.slice(0, (screen.columns || 80) - 1);
    screen.write(current);
  };
  const tell = (text: string, always: boolean) => {
    if (screen.isTTY) rewrite(text);
    else if (always || now() - lastPlain >= plainInterval) {
      lastPlain = now();
      line(text);
    }
  };
  const clear = () => {
    erase();
    current = '';
  };

  /** A folder of damaged pictures is not told one by one. */
  const skipped = ({ split, reason, lost }: SkipEvent) => {
    if (lost <= shownSkips)
      line(`Note: one more ${split} row is skipped (data.onBadRow: skip):\n  ${reason}`);
    if (lost === shownSkips) line(`Further ${split} rows that are skipped are named in run.json alone.`);
  };

  const warning = ({ kind, step, text }: WarningEvent) => {
    const times = (warned.get(kind) ?? 0) + 1;
    warned.set(kind, times);
    if (times <= shownWarnings) line(`Warning: step ${step}: ${text}`);
    if (times === shownWarnings) line('Further warnings of this kind stand in metrics.jsonl alone.');
  };

  /** What the two kinds of figure say is told once, under the first of them. */
  const scores = (text: string) => {
    line(explained ? text : `${text}\n  ${lossAndAccuracy.short}`);
    explained = true;
  };

  const show = (event: TrainEvent) => {
    switch (event.type) {
      case 'check':
        return tell(checkLine(event), false);
      case 'notice':
        return line(`Note: ${event.text}`);
      case 'skip':
        return skipped(event);
      case 'warning':
        return warning(event);
      case 'start':
        clear();
        totalSteps = event.totalSteps;
        output = shortPath(event.output);
        return line(describeStart(event));
      case 'estimate':
        return line(
          `About ${duration(event.totalSeconds)} in all, measured on the first micro-batches ` +
            `(${tokensPerSecond(event.tokensPerSecond)}).\n`,
        );
      case 'step':
        return tell(stepLine(event, totalSteps), event.step === 1 || event.step === totalSteps);
      case 'scoring':
        return tell(scoringLine(event), false);
      case 'baseline':
        clear();
        return scores(`Before step 1: ${scoresLine(event)}`);
      case 'evaluate':
        clear();
        return scores(`step ${event.step}  ${scoresLine(event)}${event.best ? '  (best so far)' : ''}`);
      case 'finish':
        clear();
        return line(finishLine(event, output));
    }
  };
  return { show, line, clear, end };
}

function checkLine({ split, rows, totalRows, secondsLeft }: CheckEvent): string {
  return `checking ${split} rows  ${number(rows)}/${number(totalRows)}  ${duration(secondsLeft)} left`;
}

function stepLine(event: StepEvent, totalSteps: number): string {
  return [
    `step ${event.step}/${totalSteps}`,
    `loss ${event.loss.toFixed(4)}`,
    `norm ${event.gradNorm.toPrecision(3)}`,
    `rate ${rate(event.learningRate)}`,
    tokensPerSecond(event.tokensPerSecond),
    `${duration(event.secondsLeft)} left`,
  ].join('  ');
}

function scoringLine({ step, part, rows, totalRows, secondsLeft }: ScoringEvent): string {
  const when = step === 0 ? 'before step 1' : `after step ${step}`;
  const what = part === 'losses' ? ['scoring', 'rows'] : ['answering', 'questions'];
  return `${what[0]} ${when}  ${number(rows)}/${number(totalRows)} ${what[1]}  ${duration(secondsLeft)} left`;
}

function scoresLine({ loss, answerLoss, tokenAccuracy, exactMatch, gap, answers }: Evaluation): string {
  const alone = answerLoss === null ? '' : `, answers alone ${answerLoss.toFixed(4)}`;
  const beside = gap === undefined ? '' : `, ${signed(gap.value)} beside training rows`;
  return (
    `validation loss ${loss.toFixed(4)}${alone}${beside}, ` +
    `${percent(tokenAccuracy)} of tokens right, ${percent(exactMatch)} of answers exact${answers ? answersLine(answers) : ''}`
  );
}

/** What it says when nobody puts words into its mouth. */
function answersLine({ answers, exactMatch, interval, f1, floor, cut }: GivenAnswers): string {
  const range = interval ? ` [${tenth(interval.low)}, ${tenth(interval.high)}]` : '';
  const endless = cut > 0 ? `, ${number(cut)} did not end` : '';
  return (
    `\n  ${count(answers, 'answer')} given: ${percent(exactMatch)}${range} right, token F1 ${percent(f1)}, ` +
    `floor ${percent(floor)}${endless}`
  );
}

const tenth = (share: number) => (100 * share).toFixed(1);

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}

function finishLine(event: FinishEvent, output: string): string {
  const best = event.best
    ? `\nBest   ${output}/best  (${bestFigure(event.best)} at step ${number(event.best.step)})`
    : '';
  return `\n${endWords(event)}\nLast   ${output}/adapter${best}\nRead   lorikeet report ${output}`;
}

function endWords({ status, step, totalSteps, stoppedEarly, best, seconds }: FinishEvent): string {
  const kept = step === 0 ? 'nothing was learned yet' : 'what was learned is kept';
  if (status === 'stopped') return `Stopped after step ${step} of ${totalSteps}; ${kept}.`;
  if (!stoppedEarly || !best) return `Done: ${count(step, 'step')} in ${duration(seconds)}.`;
  const { patience, bestStep } = stoppedEarly;
  return (
    `Done early: ${number(step)} of ${count(totalSteps, 'step')} in ${duration(seconds)}. ` +
    `The ${metricWords[best.metric]} was best at step ${number(bestStep)} and no better in ${count(patience, 'evaluation')} since.`
  );
}
