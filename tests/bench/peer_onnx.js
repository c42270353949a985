// ONNX Runtime's side of compare.py: one forecast for each line on stdin, its seconds on stdout; at the end
// peak memory.  usage: node peer_onnx.js FILE.onnx B,T,V,H,W THREADS  (NODE_PATH names the node_modules)
const ort = require('onnxruntime-node');
const readline = require('readline');
const fs = require('fs');

(async () => {
  const [file, shape, threads] = process.argv.slice(2);
  const dims = shape.split(',').map(Number);
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: +threads, interOpNumThreads: 1, graphOptimizationLevel: 'all' });
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => 1.3 * Math.sin(0.37 * i));
  const feed = { x: new ort.Tensor('float32', data, dims) };
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const start = process.hrtime.bigint();
    await session.run(feed);
    console.log(`run ${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(4)}`);
  }
  console.log(`peak_kb ${fs.readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s*(\d+)/)[1]}`);
})();
