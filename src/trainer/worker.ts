/** The training thread: `run()` of ONNX Runtime blocks, so it must not be the one that a program waits in. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LoadedConfig } from '../config/load.ts';
import { openTrainingAnswers } from '../evaluate/training-answers.ts';
import { compileStep } from '../train/compile.ts';
import { startLoader } from '../train/loader.ts';
import { run } from '../train/run.ts';
import { isAbandoned, isRaised, type StopFlag, type ThreadMessage } from '../train/thread.ts';
import { errorToWire } from '../train/wire.ts';

export interface WorkerInput {
  config: LoadedConfig;
  overwrite: boolean;
  resume?: true | string;
  /** Name of the claim on the output folder: the thread that started this one drops it where this one dies. */
  claim: string;
  stop: StopFlag;
}

const { config, overwrite, resume, claim, stop } = workerData as WorkerInput;
const post = (message: ThreadMessage) => parentPort!.postMessage(message);

try {
  const [stopped, abandoned] = [() => isRaised(stop), () => isAbandoned(stop)];
  const entering = (step: number, rows: number[]) => post({ entering: { step, rows } });
  const seams = { compile: compileStep, openAnswers: openTrainingAnswers, startLoader };
  const options = { overwrite, resume, claim, stopped, abandoned, entering, ...seams };
  for await (const event of run(config, options)) {
    if (abandoned()) break;
    post({ event });
  }
  post({ done: true });
} catch (error) {
  post({ error: errorToWire(error) });
}
