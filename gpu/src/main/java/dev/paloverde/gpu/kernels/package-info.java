/**
 * The operations a model is made of, on one device. A guided tour:
 *
 * <h2>What a model sees</h2>
 *
 * {@link dev.paloverde.gpu.kernels.Devices#open} gives {@link dev.paloverde.gpu.kernels.Kernels}, one abstract set of
 * operations; a model is written once over it. Weights come in as {@link dev.paloverde.gpu.kernels.HostTensor}s and
 * become {@link dev.paloverde.gpu.kernels.Matrix} and {@link dev.paloverde.gpu.kernels.Weights} in the layout the device
 * likes. Activations are {@link dev.paloverde.gpu.kernels.Tensor}s; {@link dev.paloverde.gpu.kernels.Heads} names the
 * attention heads in one. A step's rows, and whose they are, are a {@link dev.paloverde.gpu.kernels.StepBatch}; what they
 * leave behind lies in the pages of a {@link dev.paloverde.gpu.kernels.KvCache}.
 *
 * <pre>{@code
 * try (Kernels kernels = Devices.open("cpu", 4);
 *         Matrix weight = kernels.matrix(List.of(tensor));
 *         Tensor in = kernels.tensor(512, weight.columns());
 *         Tensor out = kernels.tensor(512, weight.rows())) {
 *     in.resize(1);
 *     out.resize(1);
 *     in.write(0, numbers);
 *     kernels.multiply(in, weight, null, out);
 * }
 * }</pre>
 *
 * <h2>The law</h2>
 *
 * A row's bits depend on that row. On the CPU they do not depend on the machine either: {@link
 * dev.paloverde.gpu.kernels.CpuKernels} gives the same bits with SIMD lanes of any width, without any, and on any number
 * of threads. Three rules make it so. An output is summed by one thread, one fused multiply-add after the other, in the
 * order of inputs or positions; outputs, not terms, lie along the lanes. A sum over a row (a norm, a softmax) is kept in
 * sixteen partial sums, by index modulo sixteen. Functions are ours or StrictMath's: {@code Arithmetic.exp}, one
 * polynomial in operations that round alike everywhere.
 *
 * <h2>The CPU implementation, from the inside out</h2>
 *
 * <ul>
 *   <li>{@code Arithmetic} is the inner loops: {@code PlainArithmetic} in plain Java, {@code VectorArithmetic} with {@code
 *       VectorTiles} on the Vector API, loaded by name where {@code jdk.incubator.vector} is there. {@code
 *       WarmingArithmetic} begins plain and takes each SIMD loop once C2 has compiled it.
 *   <li>{@code CpuMatrix} keeps weights in panels of 32 outputs, bf16 as bf16; {@code PackedRows} lays activations out
 *       for tiles of eight rows; {@code PanelProduct} multiplies the two. With many rows it runs near the arithmetic peak,
 *       with one row at the speed of memory.
 *   <li>{@code VocabularyScan} streams panels of the output projection into a running softmax.
 *   <li>{@code CpuKvCache} and {@code PagedAttention}: keys transposed in their page, so that scores of neighbouring
 *       positions lie along lanes; up to eight queries share the reading of a page.
 *   <li>What encoders need besides: {@code BlockAttention}, of the rows of a block to all of it, and {@code Gelu}.
 *   <li>{@code Workers} are the threads, {@code Scratch} their memory, {@code Resource} the books of what is open,
 *       {@code Shapes} the checks.
 * </ul>
 *
 * What all this reaches, against what the CPU can do, stands in {@code bench/cpu/kernels.jsonl}.
 *
 * <h2>The CUDA implementation</h2>
 *
 * {@link dev.paloverde.gpu.kernels.CudaKernels} queues kernels on one stream of a {@link dev.paloverde.gpu.device.Device};
 * only what gives numbers to the host waits. Its bits are its own ({@code version} says so), and a row's are the same
 * whoever stands beside it: every output of a product is one chain of tensor-core products over ascending inputs, in
 * whichever form of the kernel; attention takes keys in chunks by position and merges them in order; a norm has one tree of
 * sums.
 *
 * <ul>
 *   <li>{@code CudaStep} is the batch on the device, with sizes rounded up to powers of two; {@code CudaRecordings} keeps a
 *       graph for each sizes, recorded the second time they come.
 *   <li>{@code CudaMatrix} keeps bf16 weights in the tiles that the matrix units read, {@code CudaUpload} brings them there
 *       from mapped files; {@code CudaTensor} is a residual in fp32 or an operand in bf16.
 *   <li>{@code CudaProducts} chooses among the forms of a product by rows and outputs; {@code CudaHead} scores and chooses
 *       tokens inside the product with the vocabulary, {@code CudaRanker} ranks tokens for laws that are cut off.
 *   <li>{@code CudaAttention} plans a step's attention once and runs it in each layer; {@code CudaRotary} has its angles.
 *   <li>{@code CudaDecoder} can run all layers of a step of one or two rows in one launch, where the operations one by one
 *       keep memory waiting: {@link dev.paloverde.gpu.kernels.Kernels#decode} is the operation, and the head of {@code
 *       decode_step.cuh} says how the kernel works.
 *   <li>{@code CudaEncoder} has what encoders need besides: images cut into patches, norms with means, and attention within
 *       blocks by the FlashAttention-4-style kernels of {@code attention_forward.cu}; {@code CudaRows} are rows that travel to
 *       the host while the next step runs. {@code AttentionForms} says which kernel takes what, {@code AttentionReference} what
 *       they and their gradients compute.
 *   <li>{@code CudaProposer} lets a draft model run on: candidates ranked where the logits are, and chains of steps of which
 *       each reads the tokens that the one before chose, recorded as one graph. A {@link
 *       dev.paloverde.gpu.kernels.DevicePart} says on which multiprocessors.
 *   <li>{@code CudaStaging} is the pinned memory that small things pass through.
 * </ul>
 *
 * The kernels themselves, and what they promise, are in {@code gpu/src/main/cuda}: begin with the heads of {@code
 * products.cuh} and {@code attention_paged.cuh}. What they reach stands in {@code bench/h200}.
 */
package dev.paloverde.gpu.kernels;
