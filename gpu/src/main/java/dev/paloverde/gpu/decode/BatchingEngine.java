package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.KvCache;
import dev.paloverde.gpu.kernels.KvLayout;
import dev.paloverde.gpu.kernels.StepBatch;
import dev.paloverde.gpu.kernels.Tensor;
import dev.paloverde.gpu.model.LanguageModel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine: continuous batching over a paged key-value cache. Its thread loads the model, then takes in requests, lets
 * the {@link Scheduler} choose the rows of a step, runs the step, and hands the results out, until it is closed; then it
 * frees everything. No other thread touches kernels, model or cache.
 *
 * <p>Futures complete on the engine's thread: what depends on them should be short, or asynchronous. Submitting from
 * there never blocks.
 */
final class BatchingEngine implements Engine {
    private static final Logger LOG = LoggerFactory.getLogger(BatchingEngine.class);

    private final EngineOptions options;
    private final LoadedModel loaded;
    private final LanguageModel model;
    private final KvCache cache;
    private final PagePool pool;
    private final Scheduler scheduler;
    private final Readout readout;
    private final Speculator speculator;
    private final Rejection rejection;
    /** Whether a step may be begun before the one before is ended. */
    private final boolean canGoAhead;

    private final Thread thread;
    private final String kernelsVersion;

    private final ReentrantLock turnstile = new ReentrantLock(true);
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final Condition roomLeft = lock.newCondition();
    private final Queue<Work<?>> submissions = new ArrayDeque<>();
    private final Queue<Work<?>> withdrawals = new ArrayDeque<>();
    private long tickets;
    private long queuedTokens;
    private boolean closing;
    private PaloverdeException failure;

    private long lastEnd;
    private volatile EngineMetrics metrics = new EngineMetrics(0, 0, 0, 0, 0, 0, 0, 0);

    /** As the other, without speculation. */
    static CompletableFuture<BatchingEngine> start(String name, Supplier<LoadedModel> loader, EngineOptions options) {
        return start(name, loader, options, Speculation.none());
    }

    /**
     * Starts an engine's thread, which loads the model first.
     *
     * @param name of the thread
     * @param loader called on the engine's thread; the engine closes what it gives
     * @param options limits
     * @param speculation whether tokens are guessed ahead
     * @return completes with the engine once it takes requests, or with the reason why it does not
     */
    static CompletableFuture<BatchingEngine> start(
            String name, Supplier<LoadedModel> loader, EngineOptions options, Speculation speculation) {
        CompletableFuture<BatchingEngine> ready = new CompletableFuture<>();
        Thread thread = new Thread(() -> live(name, loader, options, speculation, ready), name);
        thread.setDaemon(true);
        thread.start();
        return ready;
    }

    private static void live(
            String name,
            Supplier<LoadedModel> loader,
            EngineOptions options,
            Speculation speculation,
            CompletableFuture<BatchingEngine> ready) {
        try (LoadedModel loaded = loader.get()) {
            BatchingEngine engine = new BatchingEngine(loaded, options, speculation);
            try {
                ready.complete(engine);
                engine.run();
            } finally {
                engine.free();
            }
        } catch (Throwable e) {
            // with a ready engine this is a failure to free something, which nobody waits for
            if (!ready.completeExceptionally(failure("the model could not be loaded", e))) {
                LOG.warn("{}: could not be freed", name, e);
            }
        }
    }

    private BatchingEngine(LoadedModel loaded, EngineOptions asked, Speculation speculation) {
        this.loaded = loaded;
        this.model = loaded.model();
        model.reserve(asked.resolve(loaded.kernels().limits()).stepTokens());
        // the cache takes its share of what the activations have left
        this.options = asked.resolve(loaded.kernels().limits());
        this.thread = Thread.currentThread();
        this.kernelsVersion = loaded.kernels().version();
        KvLayout layout = model.kvLayout(options.pageTokens());
        Speculators speculators = new Speculators(loaded, options, speculation);
        long pageBytes = layout.elementsPerPage() * loaded.kernels().cacheElementBytes() + speculators.bytesPerPage();
        int pages = pages(pageBytes);
        this.pool = new PagePool(pages);
        this.scheduler = new Scheduler(pool, options, pageBytes, this::copyPage);
        this.readout = new Readout(loaded.kernels(), model, speculators.sampledRows());
        this.cache = loaded.kernels().cache(layout, pages);
        this.speculator = speculators.create(pages);
        this.rejection = speculators.rejection();
        this.canGoAhead = readout.choosesThere();
        LOG.info(
                "{}: {}; {} pages of {} tokens ({} MiB), up to {} sequences and {} rows a step",
                thread.getName(),
                loaded.kernels().description(),
                pages,
                options.pageTokens(),
                pages * pageBytes >> 20,
                options.maxSequences(),
                options.stepTokens());
    }

    /** As many pages as the budget holds, but no more than all sequences together could ever fill. */
    private int pages(long pageBytes) {
        long affordable = options.kvBytes() / pageBytes;
        if (affordable == 0) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "kv-bytes is %d, and one page of %d tokens takes %d: raise kv-bytes, or lower page-tokens"
                            .formatted(options.kvBytes(), options.pageTokens(), pageBytes));
        }
        long pagesPerSequence = (model.context() + options.pageTokens() - 1L) / options.pageTokens();
        long pages =
                Math.min(Math.min(affordable, Integer.MAX_VALUE - 8), (options.maxSequences() + 1L) * pagesPerSequence);
        if (pages * pageBytes > loaded.kernels().availableBytes()) {
            System.gc();
        }
        long available = loaded.kernels().availableBytes();
        if (pages * pageBytes > available) {
            throw new PaloverdeException(
                    ErrorCode.OUT_OF_MEMORY,
                    ("the key-value cache of %d pages takes %d bytes, and beside the model's weights %d are left of the"
                                    + " memory allowed; raise the memory (on the CPU, the Java heap: executor or driver"
                                    + " memory), or lower kv-bytes (now %d)")
                            .formatted(pages, pages * pageBytes, available, options.kvBytes()));
        }
        return (int) pages;
    }

    private void copyPage(int from, int to, int tokens) {
        loaded.kernels().copyPage(cache, from, to, tokens);
    }

    @Override
    public CompletableFuture<Generation> generate(GenerationRequest request) {
        int prompt = request.prompt().length;
        return attempt(() -> {
            requireTokens(request.prompt(), 1);
            if (prompt >= model.context()) {
                throw new PaloverdeException(
                        ErrorCode.INPUT_TOO_LONG,
                        "the prompt has %d tokens and the model's context is %d, which leaves none to generate; shorten it"
                                .formatted(prompt, model.context()));
            }
            requirePages(prompt, scheduler.pagesFor(prompt));
            Work<Generation> work = new Work<>();
            StopTexts stops =
                    new StopTexts(loaded.tokenizer(), request.sampling().stop());
            GenerationSequence sequence =
                    new GenerationSequence(work, request, stops, loaded.endTokens(), model.context(), rejection);
            return work.of(List.of(sequence), sequence::result);
        });
    }

    @Override
    public CompletableFuture<Scoring> score(ScoringRequest request) {
        return attempt(() -> {
            int[] tokens = request.tokens();
            requireTokens(tokens, 2);
            if (request.window() < 2 || request.window() > model.context()) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "window is %d; it must be from 2 to %d, the model's context"
                                .formatted(request.window(), model.context()));
            }
            if (request.stride() < 1 || request.stride() >= request.window()) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "stride is %d; it must be from 1 to %d, less than the window"
                                .formatted(request.stride(), request.window() - 1));
            }
            int longest = Math.min(tokens.length, request.window()) - 1;
            requirePages(longest, scheduler.pagesFor(longest));
            int windows = 1 + Math.max(0, (tokens.length - request.window() + request.stride() - 1) / request.stride());
            Scores scores = new Scores(tokens.length - 1, windows);
            Work<Scoring> work = new Work<>();
            List<WindowSequence> sequences = new ArrayList<>(windows);
            int scored = 1;
            for (int window = 0; window < windows; window++) {
                int begin = window * request.stride();
                int end = (int) Math.min((long) begin + request.window(), tokens.length);
                sequences.add(new WindowSequence(work, window, tokens, begin, end, scored, scores));
                scored = end;
            }
            return work.of(sequences, scores::result);
        });
    }

    @Override
    public CompletableFuture<Choices> choose(ChoicesRequest request) {
        return attempt(() -> {
            int context = request.context().length;
            requireTokens(request.context(), 1);
            if (request.choices().isEmpty()) {
                throw new PaloverdeException(ErrorCode.EMPTY_INPUT, "there are no choices; give at least one");
            }
            List<Scores> scores = new ArrayList<>();
            int longest = 0;
            for (int[] choice : request.choices()) {
                requireTokens(choice, 1);
                longest = Math.max(longest, choice.length);
                scores.add(new Scores(choice.length, 1));
            }
            if ((long) context + longest > model.context()) {
                throw new PaloverdeException(
                        ErrorCode.INPUT_TOO_LONG,
                        "context and longest choice have %d + %d tokens and the model's context is %d; shorten them"
                                .formatted(context, longest, model.context()));
            }
            int partial = longest > 1 && context % options.pageTokens() > 0 ? 1 : 0;
            requirePages(context + longest - 1, scheduler.pagesFor(context + longest - 1) + partial);
            Work<Choices> work = new Work<>();
            return work.of(
                    List.of(new TrunkSequence(work, request, scores)),
                    () -> new Choices(scores.stream().map(Scores::result).toList()));
        });
    }

    @Override
    public CompletableFuture<Embedding> embed(EmbeddingRequest request) {
        return attempt(() -> {
            int length = request.tokens().length;
            requireTokens(request.tokens(), 1);
            if (length > model.context()) {
                throw new PaloverdeException(
                        ErrorCode.INPUT_TOO_LONG,
                        "the text has %d tokens and the model's context is %d; shorten it"
                                .formatted(length, model.context()));
            }
            requirePages(length, scheduler.pagesFor(length));
            Work<Embedding> work = new Work<>();
            EmbeddingSequence sequence = new EmbeddingSequence(work, request);
            return work.of(List.of(sequence), sequence::result);
        });
    }

    private <T> CompletableFuture<T> attempt(Supplier<Work<T>> request) {
        try {
            return submit(request.get());
        } catch (PaloverdeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private void requireTokens(int[] tokens, int least) {
        if (tokens.length < least) {
            throw new PaloverdeException(
                    ErrorCode.EMPTY_INPUT,
                    "%d tokens where at least %d are needed; is the text empty?".formatted(tokens.length, least));
        }
        for (int token : tokens) {
            if (token < 0 || token >= model.vocabulary()) {
                throw new PaloverdeException(
                        ErrorCode.TOKENIZER_MISMATCH,
                        "token %d is outside the model's vocabulary of %d; use the tokenizer of the model's directory"
                                .formatted(token, model.vocabulary()));
            }
        }
    }

    private void requirePages(int tokens, int pages) {
        if (pages > pool.size()) {
            throw new PaloverdeException(ErrorCode.INPUT_TOO_LONG, scheduler.tooLong(tokens, pages));
        }
    }

    private <T> CompletableFuture<T> submit(Work<T> work) {
        boolean own = Thread.currentThread() == thread;
        try {
            // one submitter waits for room at a time, the others for their turn: long requests are not overtaken
            if (!own) {
                turnstile.lockInterruptibly();
            }
            try {
                lock.lockInterruptibly();
                try {
                    long tokens = work.queuedTokens();
                    while (!own && !closing && queuedTokens > 0 && queuedTokens + tokens > options.maxQueuedTokens()) {
                        roomLeft.await();
                    }
                    requireOpen();
                    work.ticket(tickets++);
                    queuedTokens += tokens;
                    submissions.add(work);
                    arrived.signal();
                } finally {
                    lock.unlock();
                }
            } finally {
                if (!own) {
                    turnstile.unlock();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PaloverdeException(
                    ErrorCode.CANCELLED, "interrupted while waiting for room in the engine's queue", e);
        }
        work.future().whenComplete((value, error) -> {
            if (!work.over()) {
                withdraw(work);
            }
        });
        return work.future();
    }

    private void requireOpen() {
        if (failure != null) {
            throw new PaloverdeException(failure.code(), "the engine has stopped: " + failure.getMessage(), failure);
        }
        if (closing) {
            throw new PaloverdeException(
                    ErrorCode.CANCELLED, "the engine is closed; acquire it again before submitting");
        }
    }

    private void withdraw(Work<?> work) {
        lock.lock();
        try {
            withdrawals.add(work);
            arrived.signal();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        PaloverdeException reason =
                new PaloverdeException(ErrorCode.CANCELLED, "the engine was closed before the request was done");
        try (Flight flight = new Flight()) {
            while (takeIn(flight.empty())) {
                scheduler.admit();
                leaveQueue();
                int proposals = speculator.proposals(scheduler.decoding());
                // proposals follow what is known
                boolean ahead = canGoAhead && proposals == 0;
                if (!ahead) {
                    flight.land();
                }
                List<Slice> slices = scheduler.plan(proposals, speculator.required());
                Step next = slices.isEmpty() ? null : begin(slices, ahead);
                // only now, so that the device has work while the last step's results are handed out
                flight.land();
                if (next != null) {
                    flight.take(next);
                }
                if (!ahead) {
                    flight.land();
                }
                publishPages();
            }
        } catch (Throwable e) {
            reason = failure("the engine failed", e);
            LOG.error("{}: stopped; requests in flight fail with it", thread.getName(), e);
            lock.lock();
            try {
                failure = reason;
            } finally {
                lock.unlock();
            }
        }
        failAll(reason);
        loaded.fault().ifPresent(Engines::lost);
    }

    /** The step that was begun last and not ended. */
    private final class Flight implements AutoCloseable {
        private Step step;

        boolean empty() {
            return step == null;
        }

        void take(Step begun) {
            step = begun;
        }

        /** Ends the step, if there is one. */
        void land() {
            try (Flight closing = this) {
                if (step != null) {
                    end(step);
                }
            }
        }

        @Override
        public void close() {
            if (step != null) {
                step.answers().close();
                step = null;
            }
        }
    }

    /**
     * A step whose rows are computed, or being computed.
     *
     * @param ahead whether another may be begun before it is ended
     * @param exhausted the sequences that no other step will compute anything for
     * @param decoding rows of sequences that decode
     * @param began in nanoseconds
     */
    private record Step(
            List<Slice> slices,
            boolean ahead,
            Set<Sequence> exhausted,
            Readout.Pending answers,
            int rows,
            int decoding,
            long began) {}

    /** Takes in what was submitted and withdrawn, waiting while there is nothing to do; {@return false at the end} */
    private boolean takeIn(boolean landed) {
        List<Work<?>> withdrawn;
        lock.lock();
        try {
            while (landed && !closing && submissions.isEmpty() && withdrawals.isEmpty() && scheduler.idle()) {
                arrived.awaitUninterruptibly();
            }
            if (closing) {
                return false;
            }
            for (Work<?> work : submissions) {
                scheduler.enqueue(work);
            }
            submissions.clear();
            withdrawn = List.copyOf(withdrawals);
            withdrawals.clear();
        } finally {
            lock.unlock();
        }
        for (Work<?> work : withdrawn) {
            work.withdraw();
            scheduler.remove(work);
        }
        return true;
    }

    private void leaveQueue() {
        long tokens = scheduler.takeTokensLeftQueue();
        if (tokens > 0) {
            lock.lock();
            try {
                queuedTokens -= tokens;
                roomLeft.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    /**
     * Begins a step: from here on the sequences are where they will be after it. Pages given back now are free: who gets them
     * writes to them in a later step.
     */
    private Step begin(List<Slice> planned, boolean ahead) {
        long began = System.nanoTime();
        List<Slice> slices = speculator.propose(planned);
        int rows = slices.stream().mapToInt(Slice::count).sum();
        int[] tokens = new int[rows];
        int[] positions = new int[rows];
        int[] starts = new int[slices.size() + 1];
        int[][] pages = new int[slices.size()][];
        int decoding = 0;
        int row = 0;
        for (int i = 0; i < pages.length; i++) {
            Slice slice = slices.get(i);
            Sequence sequence = slice.sequence();
            starts[i] = row;
            pages[i] = sequence.pages();
            decoding += sequence.decoding() ? slice.count() : 0;
            for (int j = 0; j < slice.count(); j++) {
                positions[row] = slice.first() + j;
                tokens[row] = sequence.token(slice.first() + j);
                row++;
            }
        }
        starts[pages.length] = row;

        speculator.verifying(slices);
        Tensor hidden = model.forward(new StepBatch(tokens, positions, starts, pages), cache);
        for (int i = 0; i < pages.length; i++) {
            Slice slice = slices.get(i);
            slice.sequence().advance(slice.count());
            slice.sequence().read(slice.first(), slice.count(), starts[i], readout);
            if (ahead) {
                slice.sequence().goOn();
            }
        }
        Readout.Pending answers = readout.read(hidden);
        Set<Sequence> exhausted = new HashSet<>();
        if (ahead) {
            for (Slice slice : slices) {
                Sequence sequence = slice.sequence();
                if (sequence.work().over()) {
                    scheduler.remove(sequence.work());
                } else if (sequence.exhausted()) {
                    scheduler.finish(sequence);
                    exhausted.add(sequence);
                }
            }
        }
        return new Step(slices, ahead, exhausted, answers, rows, decoding, began);
    }

    /** Ends a step: hands out what was read. Another may have begun since. */
    private void end(Step step) {
        int sampled = step.answers().handOut();
        speculator.verified(step.slices());
        List<Sequence> done = new ArrayList<>();
        for (Slice slice : step.slices()) {
            Sequence sequence = slice.sequence();
            boolean over = step.exhausted().contains(sequence);
            if (sequence instanceof GenerationSequence generation) {
                generation.settle();
                scheduler.settle(generation);
            }
            if (sequence.work().over()) {
                scheduler.remove(sequence.work());
                continue;
            }
            // a step that was begun since tells of the others
            if (!over && sequence.done() && (!step.ahead() || sequence instanceof GenerationSequence)) {
                scheduler.finish(sequence);
                over = true;
            }
            if (over && sequence.forks().isEmpty()) {
                done.add(sequence);
            }
        }
        long now = System.nanoTime();
        metrics = new EngineMetrics(
                metrics.steps() + 1,
                metrics.stepNanos() + now - Math.max(step.began(), lastEnd),
                metrics.prefillTokens() + step.rows() - step.decoding(),
                metrics.decodeTokens() + sampled,
                metrics.sequenceSteps() + step.slices().size(),
                scheduler.preemptions(),
                pool.inUse(),
                pool.peak());
        lastEnd = now;
        // after the metrics, so that who waits for a result finds it counted
        for (Sequence sequence : done) {
            Readout.guard(sequence, sequence.work()::sequenceDone);
            if (sequence.work().over()) {
                scheduler.forget(sequence.work());
            }
        }
    }

    /** Requests that were withdrawn or refused have freed pages without a step. */
    private void publishPages() {
        if (metrics.pages() != pool.inUse()) {
            metrics = new EngineMetrics(
                    metrics.steps(),
                    metrics.stepNanos(),
                    metrics.prefillTokens(),
                    metrics.decodeTokens(),
                    metrics.sequenceSteps(),
                    scheduler.preemptions(),
                    pool.inUse(),
                    pool.peak());
        }
    }

    private void failAll(PaloverdeException reason) {
        List<Work<?>> unfinished = new ArrayList<>(scheduler.unfinished());
        lock.lock();
        try {
            closing = true;
            unfinished.addAll(submissions);
            submissions.clear();
            roomLeft.signalAll();
        } finally {
            lock.unlock();
        }
        for (Work<?> work : unfinished) {
            work.fail(reason);
        }
    }

    /** What no row can survive, with a code that says so. */
    private static PaloverdeException failure(String what, Throwable cause) {
        if (cause instanceof PaloverdeException known && known.code().scope() == ErrorCode.Scope.JOB) {
            return known;
        }
        if (cause instanceof OutOfMemoryError) {
            return new PaloverdeException(
                    ErrorCode.OUT_OF_MEMORY,
                    "%s: %s; the Java heap may grow to %d bytes: raise executor or driver memory, or lower kv-bytes"
                            .formatted(
                                    what,
                                    cause.getMessage(),
                                    Runtime.getRuntime().maxMemory()),
                    cause);
        }
        return new PaloverdeException(ErrorCode.ENGINE_FAILED, what + ": " + cause, cause);
    }

    private void free() {
        try (cache;
                readout) {
            speculator.close();
        }
    }

    /** {@return the limits it works within, none of them 0} */
    EngineOptions options() {
        return options;
    }

    /** {@return the version of the kernels that compute} */
    String kernelsVersion() {
        return kernelsVersion;
    }

    /** {@return whether it takes requests: neither closed nor failed} */
    boolean open() {
        lock.lock();
        try {
            return !closing;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public EngineMetrics metrics() {
        return metrics;
    }

    @Override
    public SpeculationMetrics speculation() {
        return speculator.metrics();
    }

    @Override
    public List<SpeculationRound> speculationRounds() {
        return speculator.rounds();
    }

    @Override
    public int context() {
        return (int) Math.min(model.context(), (long) pool.size() * options.pageTokens());
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closing = true;
            arrived.signalAll();
            roomLeft.signalAll();
        } finally {
            lock.unlock();
        }
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
