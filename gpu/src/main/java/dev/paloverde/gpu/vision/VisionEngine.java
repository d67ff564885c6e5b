package dev.paloverde.gpu.vision;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.Engines;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.kernels.Kernels;
import dev.paloverde.gpu.model.LateLatents;
import dev.paloverde.gpu.model.VisionDirectory;
import dev.paloverde.gpu.model.VisionModel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Encodes images. Its thread loads the model and alone asks it for steps; it takes what waits, up to a step's images, whoever
 * submitted it. While the device is at one step the next one is queued, if it is full; threads of the engine's own wait for
 * latents, copy them and complete futures. Pictures are resized on the threads that submit them. What an image gets does not
 * depend on its company.
 *
 * <p>Safe for any number of threads. Futures complete on the engine's threads: what depends on them should be short.
 */
public final class VisionEngine {
    private static final Logger LOG = LoggerFactory.getLogger(VisionEngine.class);

    /** Steps that may wait before those who submit wait too. */
    private static final int QUEUED_STEPS = 4;

    /** Steps that the device has or is sent at once. */
    private static final int STEPS_AT_ONCE = 2;

    /** Threads that copy latents: one keeps up with about a thousand images of 256 x 1152 numbers a second. */
    private static final int COPIERS = 4;

    /** Of a step on the CPU, whose caches hold no more, and on a GPU, which is kept busy by 16,384 tokens. */
    private static final int CPU_IMAGES = 4;

    private static final int GPU_IMAGES = 64;

    private record Work(Picture picture, CompletableFuture<float[]> answer) {}

    private final VisionSpec spec;
    private final CountDownLatch loaded = new CountDownLatch(1);
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final Condition roomLeft = lock.newCondition();
    private final Queue<Work> waiting = new ArrayDeque<>();
    private final AtomicLong images = new AtomicLong();
    private final AtomicLong nanos = new AtomicLong();
    private volatile VisionModel model;
    private volatile PaloverdeException failure;
    private String fingerprint = "";
    private String kernelsVersion = "";
    private int stepImages;
    private int steps;
    private long lastEnd;
    private boolean closing;

    VisionEngine(VisionSpec spec) {
        this.spec = spec;
        Thread thread =
                new Thread(this::live, "paloverde-vision-" + spec.model().getFileName());
        thread.setDaemon(true);
        thread.start();
    }

    /** Waits until the model is there. */
    void awaitLoaded() throws InterruptedException {
        loaded.await();
        if (model == null) {
            throw new PaloverdeException(failure.code(), failure.getMessage(), failure);
        }
    }

    /** {@return whether it will serve whoever comes} */
    boolean open() {
        return failure == null;
    }

    /** {@return what stands for the contents of the model's files, part of every receipt} */
    public String fingerprint() {
        return fingerprint;
    }

    /** {@return the version of the kernels that compute, part of every receipt} */
    public String kernelsVersion() {
        return kernelsVersion;
    }

    /** {@return latents of an image} */
    public int tokens() {
        return model.tokens();
    }

    /** {@return numbers of a latent} */
    public int width() {
        return model.width();
    }

    /** {@return the most images of a step} */
    public int stepImages() {
        return stepImages;
    }

    /** {@return images encoded since the beginning} */
    public long images() {
        return images.get();
    }

    /** {@return nanoseconds in which it had a step since the beginning} */
    public long stepNanos() {
        return nanos.get();
    }

    /**
     * Encodes a picture. Resizes it here and now, and waits while much is queued.
     *
     * @return [tokens, width]; fails with a {@link PaloverdeException}, {@code NOT_A_NUMBER} where the model's answer is none
     */
    public CompletableFuture<float[]> encode(Picture picture) {
        Work work = new Work(model.prepare(picture), new CompletableFuture<>());
        lock.lock();
        try {
            while (waiting.size() >= QUEUED_STEPS * stepImages && !closing && failure == null) {
                roomLeft.await();
            }
            if (closing || failure != null) {
                throw failure != null
                        ? new PaloverdeException(failure.code(), failure.getMessage(), failure)
                        : new PaloverdeException(ErrorCode.CANCELLED, "the vision engine is closed");
            }
            waiting.add(work);
            arrived.signal();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PaloverdeException(ErrorCode.CANCELLED, "interrupted while waiting for the vision engine", e);
        } finally {
            lock.unlock();
        }
        return work.answer;
    }

    private void live() {
        try (Kernels kernels = Devices.open(spec.device(), spec.threads())) {
            VisionDirectory directory = VisionDirectory.open(spec.model());
            requireRoom(kernels, directory);
            long begin = System.nanoTime();
            fingerprint = directory.fingerprint();
            kernelsVersion = kernels.version();
            try (VisionModel opened = directory.load(kernels, spec.latents())) {
                int wanted = spec.stepImages() > 0
                        ? spec.stepImages()
                        : kernels.version().startsWith("cpu") ? CPU_IMAGES : GPU_IMAGES;
                stepImages = Math.min(wanted, opened.mostImages());
                opened.reserve(stepImages);
                LOG.info(
                        "loaded {} in {} ms; {}; up to {} images a step",
                        spec.model(),
                        (System.nanoTime() - begin) / 1_000_000,
                        kernels.description(),
                        stepImages);
                model = opened;
                loaded.countDown();
                serve(kernels);
            }
        } catch (Throwable e) {
            fail(
                    e instanceof PaloverdeException known
                            ? known
                            : new PaloverdeException(ErrorCode.ENGINE_FAILED, "the vision engine failed: " + e, e));
        } finally {
            loaded.countDown();
        }
    }

    private void requireRoom(Kernels kernels, VisionDirectory directory) {
        if (directory.weightBytes() > kernels.availableBytes()) {
            throw new PaloverdeException(
                    ErrorCode.OUT_OF_MEMORY,
                    "the weights in %s take %,d bytes, and %,d are left of the memory allowed (%s); raise the memory, or take a smaller model"
                            .formatted(
                                    spec.model(),
                                    directory.weightBytes(),
                                    kernels.availableBytes(),
                                    kernels.description()));
        }
    }

    private void serve(Kernels kernels) throws InterruptedException {
        ExecutorService copiers = Executors.newFixedThreadPool(COPIERS, task -> {
            Thread thread = new Thread(task, Thread.currentThread().getName() + "-latents");
            thread.setDaemon(true);
            return thread;
        });
        try {
            for (List<Work> works = next(); !works.isEmpty(); works = next()) {
                long began = System.nanoTime();
                Step step;
                try {
                    step = new Step(
                            kernels,
                            works,
                            began,
                            model.encode(works.stream().map(Work::picture).toList()));
                } catch (RuntimeException | Error e) {
                    throw failed(kernels, works, e);
                }
                for (int copier = 0; copier < COPIERS; copier++) {
                    copiers.execute(step);
                }
            }
        } finally {
            // what the device has is still answered, and the model stays until it is
            copiers.shutdown();
            while (!copiers.awaitTermination(1, TimeUnit.MINUTES)) {
                LOG.warn("{} still waits for its last steps", spec.model());
            }
        }
    }

    /** {@return what a failed step's images are told, after they were told it} */
    private PaloverdeException failed(Kernels kernels, List<Work> works, Throwable cause) {
        PaloverdeException fault = kernels.fault().orElse(null);
        PaloverdeException told = fault != null
                ? fault
                : new PaloverdeException(ErrorCode.ENGINE_FAILED, "a step of images failed: " + cause, cause);
        works.forEach(work -> work.answer.completeExceptionally(told));
        if (fault != null) {
            Engines.lost(fault);
        }
        return told;
    }

    /** A step on its way. Each copier takes images of it until there are none left; the last closes it. */
    private final class Step implements Runnable {
        private final Kernels kernels;
        private final List<Work> works;
        private final long began;
        private final LateLatents latents;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger copiers = new AtomicInteger(COPIERS);
        private final AtomicBoolean ended = new AtomicBoolean();

        Step(Kernels kernels, List<Work> works, long began, LateLatents latents) {
            this.kernels = kernels;
            this.works = works;
            this.began = began;
            this.latents = latents;
        }

        @Override
        public void run() {
            try {
                latents.await();
                if (ended.compareAndSet(false, true)) {
                    ended(began, works.size());
                }
                for (int image = next.getAndIncrement(); image < works.size(); image = next.getAndIncrement()) {
                    copy(image);
                }
                if (copiers.decrementAndGet() == 0) {
                    latents.close();
                }
            } catch (RuntimeException | Error e) {
                // the memory of a step that failed is the device's until the engine is gone
                fail(failed(kernels, works, e));
            }
        }

        private void copy(int image) {
            float[] numbers = new float[model.tokens() * model.width()];
            CompletableFuture<float[]> answer = works.get(image).answer;
            if (latents.read(image, numbers)) {
                answer.complete(numbers);
            } else {
                answer.completeExceptionally(new PaloverdeException(
                        ErrorCode.NOT_A_NUMBER, "the model's latents of this image are not all numbers"));
            }
        }
    }

    /** A step is over: the device has room for another one. */
    private void ended(long began, int count) {
        lock.lock();
        try {
            long now = System.nanoTime();
            nanos.addAndGet(now - Math.max(began, lastEnd));
            lastEnd = now;
            images.addAndGet(count);
            steps--;
            arrived.signal();
        } finally {
            lock.unlock();
        }
    }

    /**
     * {@return what waits and is still wanted, up to a step's images; empty at the end} While the device has a step, only a full
     * one goes after it: what arrives meanwhile would otherwise go in many small ones.
     */
    private List<Work> next() throws InterruptedException {
        lock.lock();
        try {
            List<Work> works = new ArrayList<>();
            while (works.isEmpty()) {
                while (!closing && failure == null && !mayBegin()) {
                    arrived.await();
                }
                if (closing || failure != null) {
                    return List.of();
                }
                while (works.size() < stepImages && !waiting.isEmpty()) {
                    Work work = waiting.remove();
                    if (!work.answer.isDone()) {
                        works.add(work);
                    }
                }
            }
            steps++;
            roomLeft.signalAll();
            return works;
        } finally {
            lock.unlock();
        }
    }

    private boolean mayBegin() {
        return steps == 0 ? !waiting.isEmpty() : steps < STEPS_AT_ONCE && waiting.size() >= stepImages;
    }

    private void fail(PaloverdeException why) {
        lock.lock();
        try {
            failure = failure == null ? why : failure;
            waiting.forEach(work -> work.answer.completeExceptionally(why));
            waiting.clear();
            arrived.signalAll();
            roomLeft.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Ends it after the step that runs; what waits is withdrawn. */
    void close() {
        lock.lock();
        try {
            closing = true;
            PaloverdeException why = new PaloverdeException(ErrorCode.CANCELLED, "the vision engine was closed");
            waiting.forEach(work -> work.answer.completeExceptionally(why));
            waiting.clear();
            arrived.signalAll();
            roomLeft.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
