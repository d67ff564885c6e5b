package dev.paloverde.udfs.image;

import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.gpu.model.PixelPatches;
import dev.paloverde.gpu.vision.VisionEngine;
import dev.paloverde.gpu.vision.VisionEngines;
import dev.paloverde.gpu.vision.VisionSpec;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.arrow.BatchContext;
import dev.paloverde.udfs.text.Feeders;
import dev.paloverde.udfs.text.LostDevice;
import dev.paloverde.udfs.text.Serving;
import dev.paloverde.udfs.text.TaskDevice;
import dev.paloverde.udfs.text.TextModel;
import java.util.concurrent.CompletableFuture;

/** A task's hold on what makes latents of pictures. */
abstract class ImageServing implements Serving<Picture, float[]> {
    /**
     * Finds the model and gets its engine, loading it if no one has it.
     *
     * @throws dev.paloverde.gpu.PaloverdeException of job scope
     */
    static ImageServing open(Settings settings) {
        return ImageModel.isPixels(settings) ? new Pixels() : Encoder.open(settings);
    }

    /** {@return latents of an image} */
    abstract int tokens();

    /** {@return numbers of a latent} */
    abstract int width();

    /** {@return the digest of what every result of these settings depends on besides its row} */
    abstract String receipt(Settings settings);

    @Override
    public void count(BatchContext context) {
        // rows, tokens and waits are counted by who waits
    }

    /** Cuts patches where it is asked; there is nothing to share. */
    private static final class Pixels extends ImageServing {
        private static final int PLACES = 4;

        private final Feeders feeders = Feeders.of(ImageModel.PIXELS);

        @Override
        int tokens() {
            return PixelPatches.TOKENS;
        }

        @Override
        int width() {
            return PixelPatches.WIDTH;
        }

        @Override
        String receipt(Settings settings) {
            return ImageModel.receipt(settings).digest();
        }

        @Override
        public Feeders feeders() {
            return feeders;
        }

        @Override
        public int places() {
            return PLACES;
        }

        @Override
        public CompletableFuture<float[]> submit(RowKey key, Picture picture) {
            return CompletableFuture.completedFuture(PixelPatches.of(picture));
        }

        @Override
        public void close() {}
    }

    /** The executor's engine. */
    private static final class Encoder extends ImageServing {
        private final VisionEngines.Held held;
        private final VisionEngine engine;
        private final Feeders feeders;

        private Encoder(VisionEngines.Held held, VisionSpec spec) {
            this.held = held;
            this.engine = held.engine();
            this.feeders = Feeders.of(spec);
        }

        static Encoder open(Settings settings) {
            LostDevice.watch();
            VisionSpec spec = new VisionSpec(
                    TextModel.path(settings),
                    TaskDevice.of(settings),
                    TextModel.threads(settings),
                    settings.value(Settings.STEP_IMAGES),
                    settings.value(Settings.LATENTS));
            return new Encoder(VisionEngines.acquire(spec, settings.value(Settings.MODEL_FINGERPRINT)), spec);
        }

        @Override
        int tokens() {
            return engine.tokens();
        }

        @Override
        int width() {
            return engine.width();
        }

        @Override
        String receipt(Settings settings) {
            return ImageModel.receipt(engine.fingerprint(), engine.kernelsVersion(), settings)
                    .digest();
        }

        @Override
        public Feeders feeders() {
            return feeders;
        }

        @Override
        public int places() {
            return engine.stepImages();
        }

        @Override
        public CompletableFuture<float[]> submit(RowKey key, Picture picture) {
            return engine.encode(picture);
        }

        @Override
        public void close() {
            held.close();
        }
    }
}
