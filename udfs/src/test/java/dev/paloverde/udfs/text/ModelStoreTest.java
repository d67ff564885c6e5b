package dev.paloverde.udfs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    @TempDir
    Path directory;

    private ModelStore store;
    private Path cache;

    @BeforeEach
    void open() {
        cache = directory.resolve("cache");
        store = new ModelStore(cache.toString(), new Configuration());
    }

    private Path source() throws IOException {
        Path source = Files.createDirectories(directory.resolve("my-model"));
        Files.writeString(source.resolve("config.json"), "{}");
        Files.writeString(source.resolve("model.safetensors"), "weights");
        Files.writeString(source.resolve("pytorch_model.bin"), "not needed");
        return source;
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aLocalDirectoryIsUsedWhereItIs() throws IOException {
        Path source = source();
        assertThat(store.find(source.toString())).isEqualTo(source);
        assertThat(store.find(source.toUri().toString())).isEqualTo(source);
        assertThat(cache).doesNotExist();
        assertThatThrownBy(() -> store.find("/nowhere"))
                .isInstanceOf(PaloverdeException.class)
                .hasMessageContaining("there is no model directory at /nowhere on this machine");
    }

    @Test
    void anotherFileSystemsDirectoryIsCopiedOnceAndOnlyWhatIsNeeded() throws IOException {
        Path source = source();
        Path copy = store.copy(source.toUri().toString());
        assertThat(copy).startsWith(cache);
        assertThat(names(copy)).containsExactly("config.json", "model.safetensors");
        FileTime written = Files.getLastModifiedTime(copy);
        assertThat(store.copy(source.toUri().toString())).isEqualTo(copy);
        assertThat(Files.getLastModifiedTime(copy)).isEqualTo(written);
    }

    @Test
    void aChangedSourceIsAnotherCopy() throws IOException {
        Path source = source();
        Path before = store.copy(source.toUri().toString());
        Files.writeString(source.resolve("model.safetensors"), "other weights");
        Path after = store.copy(source.toUri().toString());
        assertThat(after).isNotEqualTo(before);
        assertThat(after.resolve("model.safetensors")).hasContent("other weights");
        assertThat(before.resolve("model.safetensors")).hasContent("weights");
    }

    @Test
    void aDamagedCopyIsMadeAgain() throws IOException {
        Path source = source();
        Path copy = store.copy(source.toUri().toString());
        Files.writeString(copy.resolve("model.safetensors"), "wei");
        assertThat(store.copy(source.toUri().toString()).resolve("model.safetensors"))
                .hasContent("weights");
        Path embedded = store.find("embedded:sample-draft");
        Files.writeString(
                embedded.resolve("config.json"), "{".repeat((int) Files.size(embedded.resolve("config.json"))));
        assertThat(store.find("embedded:sample-draft").resolve("config.json"))
                .content()
                .contains("LlamaForCausalLM");
    }

    @Test
    void manyAtOnceMakeOneCopy() throws Exception {
        String source = source().toUri().toString();
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Path>> copies = threads.invokeAll(IntStream.range(0, 16)
                    .<Callable<Path>>mapToObj(i -> () -> store.copy(source))
                    .toList());
            Path first = copies.get(0).get();
            for (Future<Path> copy : copies) {
                assertThat(copy.get()).isEqualTo(first);
            }
            // the copy and its lock, and nothing half done
            assertThat(names(cache)).hasSize(2);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void modelsOfTheJarAreUnpacked() throws IOException {
        Path model = store.find("embedded:sample-target");
        assertThat(names(model)).contains("config.json", "model.safetensors", "tokenizer.json");
        assertThat(store.find("embedded:sample-target")).isEqualTo(model);
        for (String name : List.of("embedded:none", "embedded:", "embedded:../secrets")) {
            assertThatThrownBy(() -> store.find(name))
                    .hasMessageContaining("no jar on the class path carries a model named")
                    .extracting(e -> ((PaloverdeException) e).code())
                    .isEqualTo(ErrorCode.MODEL_NOT_FOUND);
        }
    }

    @Test
    void whatIsNoModelSaysSo() throws IOException {
        Path empty = Files.createDirectories(directory.resolve("empty"));
        assertThatThrownBy(() -> store.copy(empty.toUri().toString()))
                .hasMessageContaining("there is no config.json in");
        assertThatThrownBy(() -> store.copy(directory.resolve("gone").toUri().toString()))
                .hasMessageContaining("cannot be read");
        assertThatThrownBy(() -> store.find("nosuchscheme://bucket/model")).hasMessageContaining("cannot be read");
    }

    @Test
    void aPlaceThatCannotBeWrittenSaysSo() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");
        ModelStore misplaced = new ModelStore(file.resolve("cache").toString(), new Configuration());
        assertThatThrownBy(() -> misplaced.find("embedded:sample-draft"))
                .hasMessageContaining("cache-directory names another place");
    }
}
