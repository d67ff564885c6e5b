package dev.paloverde.udfs.image;

import dev.paloverde.gpu.decode.Receipt;
import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.kernels.Devices;
import dev.paloverde.gpu.model.PixelPatches;
import dev.paloverde.gpu.model.VisionDirectory;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;

/** What the functions of images ask of settings and models, without weights. */
public final class ImageModel {
    /** The name of what is no model: an image's patches. */
    public static final String PIXELS = "pixels";

    private ImageModel() {}

    /** {@return whether the latents are the patches themselves: where settings say so, and where they name no model} */
    static boolean isPixels(Settings settings) {
        return !settings.isSet(Settings.MODEL) || settings.value(Settings.MODEL).equals(PIXELS);
    }

    /** {@return the model's name, as users write it} */
    public static String name(Settings settings) {
        return isPixels(settings) ? PIXELS : settings.value(Settings.MODEL);
    }

    static ImageLimits limits(Settings settings) {
        return new ImageLimits(settings.value(Settings.MAX_PIXELS), ImageLimits.STANDARD.maxFrames());
    }

    /**
     * {@return what results of these settings depend on besides their rows, as it is on this machine}
     *
     * @throws dev.paloverde.gpu.PaloverdeException of job scope
     */
    public static Receipt receipt(Settings settings) {
        return isPixels(settings)
                ? receipt(PIXELS, PixelPatches.VERSION, settings)
                : receipt(
                        VisionDirectory.open(TextModel.path(settings)).fingerprint(),
                        Devices.version(TextModel.device(settings)),
                        settings);
    }

    static Receipt receipt(String fingerprint, String kernels, Settings settings) {
        return new Receipt(
                fingerprint,
                kernels + " " + ImageFile.VERSION,
                Operation.EMBED_IMAGE.toString(),
                settings.parameters(Operation.EMBED_IMAGE),
                0,
                "as-stored");
    }
}
