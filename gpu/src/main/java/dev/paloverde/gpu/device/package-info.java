/**
 * Where memory lies and work is queued: one NVIDIA GPU through the driver API of CUDA. A guided tour:
 *
 * <h2>Using a GPU</h2>
 *
 * {@link dev.paloverde.gpu.device.Device#obstacle} says why there is none; {@link dev.paloverde.gpu.device.Device#open} opens
 * one. A {@link dev.paloverde.gpu.device.Buffer} is memory of the device, a {@link dev.paloverde.gpu.device.HostBuffer}
 * memory of the host that copies to and from it. A {@link dev.paloverde.gpu.device.Module} is a family of kernels, compiled
 * ahead of time; {@link dev.paloverde.gpu.device.Arguments} is the one structure that each {@link
 * dev.paloverde.gpu.device.Kernel} takes. All work goes through a {@link dev.paloverde.gpu.device.Stream}, a queue; an {@link
 * dev.paloverde.gpu.device.Event} is a mark in it, a {@link dev.paloverde.gpu.device.Graph} a stretch of it, recorded once
 * and queued often. A {@link dev.paloverde.gpu.device.Share} is some of the multiprocessors, for streams that leave the
 * others alone.
 *
 * <pre>{@code
 * try (Device device = Device.open(0);
 *         Stream stream = device.stream();
 *         Module module = device.module("rows");
 *         Buffer numbers = device.allocate(4 << 20);
 *         HostBuffer host = device.pinned(4 << 20)) {
 *     stream.copyIn(host, 0, numbers, 0, host.bytes());
 *     Arguments arguments = new Arguments().pointer(numbers).integer(1 << 20);
 *     stream.launch(module.kernel("rows_double"), 1024, 1, 1, 256, arguments);
 *     stream.copyOut(numbers, 0, host, 0, host.bytes());
 *     stream.synchronize();
 * }
 * }</pre>
 *
 * <h2>Who owns what, and who may call</h2>
 *
 * Whoever asks for something closes it, after the work that uses it. The device keeps books: {@link
 * dev.paloverde.gpu.device.Device#openResources} lists them, and closing a device with something open is an error that names
 * it. A thread is attached to a device before it uses what that gave out; a stream, and the arguments for its launches, serve
 * one thread at a time.
 *
 * <h2>What can go wrong</h2>
 *
 * Every call of the driver is checked ({@code CudaFailure} knows what a result means and what helps). Without a GPU, {@code
 * DEVICE_UNAVAILABLE}; with too little memory, {@code OUT_OF_MEMORY}; all else is {@code ENGINE_FAILED}. Some errors end the
 * use of a GPU for the whole process: {@link dev.paloverde.gpu.device.Device#faulted}, {@link
 * dev.paloverde.gpu.device.Device#onFault}.
 *
 * <h2>From the inside out</h2>
 *
 * <ul>
 *   <li>{@code Driver} finds out once what this host has; until it is asked, no class of JCuda is loaded. {@code Natives}
 *       unpacks native libraries so that processes cannot disturb one another.
 *   <li>{@code Launcher} queues kernels through JCuda, {@code NativeLauncher} through {@code gpu/src/main/c/launch.c}, for
 *       what JCuda does not bind: overlapping launches and clusters.
 *   <li>{@code KernelFamily} is what {@code bin/build-kernels} wrote down beside each fat binary: digest of the sources,
 *       targets, registers. {@code gpu/src/main/cuda/families} lists the families and their targets.
 *   <li>{@code Resource} is the books' entry.
 * </ul>
 *
 * Knows nothing of kernels, models or decoding, which stand on it.
 */
package dev.paloverde.gpu.device;
