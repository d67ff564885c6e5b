package dev.paloverde.jobs;

import dev.paloverde.udfs.Operation;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Turns the image of each row into latents. */
@Command(
        name = "embed-image",
        description =
                "Turns the image of each row into a latent for each of its patches, with a vision model or, without"
                        + " --model, as pixels.")
final class EmbedImageCommand extends RowCommand {
    @Option(
            names = "--image-column",
            paramLabel = "COLUMN",
            description = "The column with the bytes of the image (default: image).")
    private String column;

    EmbedImageCommand(Terminal terminal, List<String> arguments) {
        super(Operation.EMBED_IMAGE, terminal, arguments);
    }

    @Override
    Mapping mapping() {
        return new Mapping("image", Optional.ofNullable(column), Optional.empty(), Optional.empty());
    }
}
