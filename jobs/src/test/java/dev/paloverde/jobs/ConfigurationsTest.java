package dev.paloverde.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.paloverde.udfs.Setting;
import dev.paloverde.udfs.Settings;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** What lies in conf/ can be parsed, and names only what exists. */
class ConfigurationsTest {
    private static final Path CONF = Path.of("..", "conf");
    private static final Pattern KEY =
            Pattern.compile("spark\\.paloverde\\.([a-z0-9-]+)[\"':]*[\\s=]+[\"']?([^\"'\\s,]+)");
    private static final Pattern CLASS = Pattern.compile("dev\\.paloverde\\.[a-z.]*[A-Z][A-Za-z]+");
    private static final Pattern FLAG = Pattern.compile("[\"\\s](--[a-z][a-z-]+)(?==|\"|\\s)");

    static Stream<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(CONF)) {
            return files.filter(Files::isRegularFile).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    void everySettingAndClassNamedExists(Path file) throws Exception {
        String text = Files.readString(file);
        Matcher keys = KEY.matcher(text);
        while (keys.find()) {
            Settings.named(keys.group(1)).parse(keys.group(2));
        }
        Matcher classes = CLASS.matcher(text);
        while (classes.find()) {
            assertThat(Class.forName(classes.group())).isNotNull();
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    void everyFileParses(Path file) throws Exception {
        String name = file.getFileName().toString();
        if (name.endsWith(".yaml")) {
            for (Object document : new Yaml(new SafeConstructor(new LoaderOptions())).loadAll(Files.readString(file))) {
                assertThat(document)
                        .isInstanceOfSatisfying(
                                Map.class, map -> assertThat(map).containsKeys("apiVersion", "kind"));
            }
        } else if (name.endsWith(".conf") || name.endsWith(".properties")) {
            Properties properties = new Properties();
            properties.load(new StringReader(Files.readString(file)));
            assertThat(properties).isNotEmpty();
            properties.forEach((key, value) ->
                    assertThat((String) value).as(key.toString()).isNotBlank());
        } else if (name.endsWith(".py")) {
            Process python;
            try {
                python = new ProcessBuilder(
                                "python3", "-c", "import ast,sys; ast.parse(open(sys.argv[1]).read())", file.toString())
                        .redirectErrorStream(true)
                        .start();
            } catch (IOException e) {
                assumeTrue(false, "there is no python3 to parse " + file);
                return;
            }
            String said = new String(python.getInputStream().readAllBytes());
            assertThat(python.waitFor()).as(said).isZero();
        } else {
            throw new AssertionError("no one knows how to check " + file);
        }
    }

    @Test
    void flagsOfTheJobsInConfExist() throws IOException {
        List<String> known = Stream.concat(
                        Settings.all().stream().map(Setting::key).map(key -> "--" + key),
                        Stream.of(InputOptions.class, OutputOptions.class, GenerateCommand.class, ScoreCommand.class)
                                .flatMap(type -> Stream.of(type.getDeclaredFields()))
                                .map(field -> field.getAnnotation(picocli.CommandLine.Option.class))
                                .filter(option -> option != null)
                                .flatMap(option -> Stream.of(option.names())))
                .toList();
        for (Path file : List.of(
                CONF.resolve("airflow/paloverde_nightly.py"),
                CONF.resolve("kubernetes/scheduled-spark-application.yaml"))) {
            Matcher flags = FLAG.matcher(Files.readString(file));
            int found = 0;
            while (flags.find()) {
                if (!flags.group(1).equals("--add-modules")) {
                    assertThat(known).contains(flags.group(1));
                    found++;
                }
            }
            assertThat(found).as("flags in %s", file).isGreaterThan(4);
        }
    }
}
