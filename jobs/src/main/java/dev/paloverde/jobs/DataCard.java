package dev.paloverde.jobs;

import dev.paloverde.pipelines.corpus.Profile;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * A corpus on one page of HTML that needs nothing else: no server, no script, no font. It is written like an account:
 * every table of rows ends in their sum, which is that of the table before.
 */
final class DataCard {
    static final String FILE = "card.html";

    private static final int WIDE = 860;
    private static final int NARROW = 278;
    private static final int MOST_LANGUAGES = 20;

    private final CorpusSummary summary;
    private final List<Profile.Bar> profile;
    private final StringBuilder page = new StringBuilder();

    private DataCard(CorpusSummary summary, List<Profile.Bar> profile) {
        this.summary = summary;
        this.profile = profile;
    }

    /**
     * {@return the page}
     *
     * @param input where the rows came from, as it was said
     * @param summary what the job did
     * @param profile of its rows
     */
    static String html(List<String> input, CorpusSummary summary, List<Profile.Bar> profile) {
        DataCard card = new DataCard(summary, profile);
        card.begin(input);
        card.account();
        card.texts();
        if (summary.packed() != null) {
            card.sequences(summary.packed());
        }
        card.signals();
        card.options();
        return card.page.append("</main>\n</html>\n").toString();
    }

    private void begin(List<String> input) {
        page.append("""
                <!DOCTYPE html>
                <html lang="en">
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <title>Corpus</title>
                <style>
                body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 0; background: #faf9f6 }
                main { max-width: 900px; margin: 2em auto; padding: 0 1em }
                h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc }
                table { border-collapse: collapse; margin: 1em 0; width: 100% } td, th { padding: .15em .6em; text-align: right }
                th { border-bottom: 1px solid #888; font-weight: 600 } td:first-child, th:first-child, .l { text-align: left }
                tr.sum td { border-top: 1px solid #888; font-weight: 600 } td { font-variant-numeric: tabular-nums }
                svg { background: #fff; margin: 2px } svg text { font: 11px system-ui, sans-serif; fill: #444 } svg text.t { font-weight: 600 }
                .k { color: #2a6f6b } .r { color: #a8741a } code { font-size: .9em; overflow-wrap: anywhere }
                </style>
                <main>
                """);
        page.append("<h1>%s</h1>\n".formatted(SvgBars.escaped(String.join(" ", input))));
        page.append(
                "<p>%s rows went in, %s documents (%s bytes of text) are in the corpus. Input: <code>%s</code>.</p>\n"
                        .formatted(
                                count(summary.rows()),
                                count(summary.kept()),
                                count(summary.keptBytes()),
                                SvgBars.escaped(summary.job().input())));
    }

    private void account() {
        page.append("<h2>What became of every row</h2>\n");
        HtmlTable table = new HtmlTable("reason", "rule", "rows", "share", "bytes of text");
        SvgBars plot = new SvgBars("Rows by what became of them", "rows kept", "rows rejected");
        plot.add("(kept)", summary.kept(), 0);
        long bytes = summary.keptBytes();
        for (CorpusSummary.Rejected each : summary.rejected()) {
            String rule = each.rule() == null ? "" : each.rule();
            table.row(each.reason(), rule, count(each.rows()), share(each.rows(), summary.rows()), count(each.bytes()));
            plot.add(each.rule() == null ? each.reason() : each.rule(), 0, each.rows());
            bytes += each.bytes();
        }
        table.row(
                "(kept)", "", count(summary.kept()), share(summary.kept(), summary.rows()), count(summary.keptBytes()));
        table.sum(
                "sum = rows that went in",
                "",
                count(summary.rows()),
                share(summary.rows(), summary.rows()),
                count(bytes));
        page.append(table).append(plot.rows(WIDE, 300));
        if (summary.evaluationRows() != null) {
            page.append(
                    "<p>Of %s rows of evaluation sets, %s stand in documents in whole or in part; %s are too short to be searched for.</p>\n"
                            .formatted(
                                    count(summary.evaluationRows().rows()),
                                    count(summary.evaluationRows().found()),
                                    count(summary.evaluationRows().tooShort())));
        }
        if (!summary.corrupt().isEmpty()) {
            HtmlTable files = new HtmlTable("input file that cannot be read to its end", "rows read", "what was found");
            summary.corrupt().forEach(file -> files.row(file.path(), count(file.rowsRead()), file.reason()));
            page.append(files);
        }
    }

    private void texts() {
        page.append(
                "<h2>Texts</h2>\n<p>Bars are rows: <b class='k'>kept</b> and, on top, <b class='r'>rejected</b>.</p>\n");
        page.append(histogram(Profile.BYTES, "Length of a text, bytes", WIDE, 220));
        SvgBars languages = new SvgBars("Language (ISO 639-3; und: in none that is known)", "kept", "rejected");
        List<Profile.Bar> found = bars(Profile.LANGUAGES::equals).stream()
                .sorted(Comparator.comparingLong((Profile.Bar bar) -> -bar.kept() - bar.rejected())
                        .thenComparing(Profile.Bar::bin))
                .toList();
        found.stream().limit(MOST_LANGUAGES).forEach(bar -> languages.add(bar.bin(), bar.kept(), bar.rejected()));
        if (found.size() > MOST_LANGUAGES) {
            List<Profile.Bar> rest = found.subList(MOST_LANGUAGES, found.size());
            languages.add(
                    "%d others".formatted(rest.size()),
                    rest.stream().mapToLong(Profile.Bar::kept).sum(),
                    rest.stream().mapToLong(Profile.Bar::rejected).sum());
        }
        page.append(languages.rows(WIDE, 120));
        page.append(histogram(Profile.CLUSTERS, "Rows that a document stands for, itself included", WIDE, 200));
    }

    private void sequences(PackSummary packed) {
        page.append(
                "<h2>Sequences</h2>\n<p>%s sequences of %s positions, tokens of <code>%s</code>, in %s shards.</p>\n"
                        .formatted(
                                count(packed.sequences()),
                                count(packed.context()),
                                SvgBars.escaped(packed.tokenizer()),
                                count(packed.shards())));
        long refused = packed.refused().stream()
                .mapToLong(PackSummary.Refused::documents)
                .sum();
        HtmlTable documents = new HtmlTable("documents", "");
        packed.refused().forEach(each -> documents.row("cannot be packed: " + each.reason(), count(each.documents())));
        documents.row("can be packed", count(packed.documents() - refused));
        documents.sum("sum = documents in the corpus", count(packed.documents()));
        page.append(documents);
        HtmlTable mixture = new HtmlTable("source", "documents", "tokens", "epochs", "documents taken", "tokens taken");
        SvgBars plot = new SvgBars("Tokens by source", "tokens taken", "tokens left");
        long[] sums = new long[4];
        packed.mixture().forEach(each -> {
            long[] values = {each.documents(), each.tokens(), each.drawnDocuments(), each.drawnTokens()};
            for (int i = 0; i < values.length; i++) {
                sums[i] += values[i];
            }
            mixture.row(
                    each.source(),
                    count(each.documents()),
                    count(each.tokens()),
                    String.format(Locale.ROOT, "%.3f", each.epochs()),
                    count(each.drawnDocuments()),
                    count(each.drawnTokens()));
            plot.add(each.source(), each.drawnTokens(), Math.max(0, each.tokens() - each.drawnTokens()));
        });
        mixture.sum("sum", count(sums[0]), count(sums[1]), "", count(sums[2]), count(sums[3]));
        page.append(mixture).append(plot.rows(WIDE, 160));
        long positions = packed.sequences() * packed.context();
        HtmlTable filled = new HtmlTable("positions", "", "share");
        filled.row("tokens of text", count(packed.textTokens()), share(packed.textTokens(), positions));
        filled.row("latents of pictures", count(packed.visualTokens()), share(packed.visualTokens(), positions));
        filled.row("padding", count(packed.padding()), share(packed.padding(), positions));
        filled.sum("sum = sequences times their length", count(positions), share(positions, positions));
        page.append(filled);
        SvgBars padding = new SvgBars("Positions", "filled", "padding");
        padding.add("all sequences", packed.textTokens() + (double) packed.visualTokens(), packed.padding());
        page.append(padding.rows(WIDE, 160));
        HtmlTable ledger =
                new HtmlTable("training once on it", "layers", "attention", "embedding and head", "operations");
        packed.ledger()
                .forEach(model -> ledger.row(
                        "%s, %s + %s weights"
                                .formatted(
                                        model.model(), count(model.parameters()), count(model.embeddingParameters())),
                        String.format(Locale.ROOT, "%,d", model.linear()),
                        String.format(Locale.ROOT, "%,d", model.attention()),
                        String.format(Locale.ROOT, "%,d", model.head()),
                        String.format(Locale.ROOT, "%,d", model.total())));
        page.append(ledger);
    }

    private void signals() {
        page.append("<h2>Quality signals</h2>\n");
        for (String signal : Profile.signals()) {
            page.append(histogram(signal, signal, NARROW, 150));
        }
        page.append('\n');
    }

    private void options() {
        page.append("<h2>How it was made</h2>\n");
        HtmlTable table = new HtmlTable("option", "");
        summary.job().options().forEach(table::row);
        page.append(table);
    }

    private List<Profile.Bar> bars(Predicate<String> figure) {
        return profile.stream().filter(bar -> figure.test(bar.figure())).toList();
    }

    private String histogram(String figure, String title, int width, int height) {
        Profile.Scale scale = Profile.scale(figure);
        TreeMap<Integer, Profile.Bar> byBin = new TreeMap<>();
        bars(figure::equals).forEach(bar -> byBin.put(Integer.parseInt(bar.bin()), bar));
        SvgBars plot = new SvgBars(title, "kept", "rejected");
        if (!byBin.isEmpty()) {
            for (int bin = scale == Profile.Scale.SHARES ? 0 : byBin.firstKey(); bin <= byBin.lastKey(); bin++) {
                Profile.Bar bar = byBin.get(bin);
                plot.add(label(scale, bin), bar == null ? 0 : bar.kept(), bar == null ? 0 : bar.rejected());
            }
        }
        return plot.columns(width, height);
    }

    private static String label(Profile.Scale scale, int bin) {
        return switch (scale) {
            case POWERS_OF_TWO -> bin == 0 ? "0" : SvgBars.number(Math.pow(2, bin - 1));
            case SHARES -> String.format(Locale.ROOT, "%.2f", bin / 20.0);
            case UNITS, NAMES -> Integer.toString(bin);
        };
    }

    private static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    private static String share(long part, long all) {
        return all == 0 ? "" : String.format(Locale.ROOT, "%.2f%%", 100.0 * part / all);
    }
}
