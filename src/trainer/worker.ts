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
  stop: StopFlag;
}

const { config, overwrite, stop } = workerData as WorkerInput;
const post = (message: ThreadMessage) => parentPort!.postMessage(message);

try {
  const [stopped, abandoned] = [() => isRaised(stop), () => isAbandoned(stop)];
  const options = {
    overwrite,
    stopped,
    abandoned,
    compile: compileStep,
    openAnswers: openTrainingAnswers,
    startLoader,
  };
  for await (const event of run(config, options)) {
    if (abandoned()) break;
    post({ event });
  }
  post({ done: true });
} catch (error) {
  post({ error: errorToWire(error) });
}
