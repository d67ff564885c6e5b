package dev.paloverde.jobs;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler;

/** Pictures of results. */
final class Plots {
    private Plots() {}

    /**
     * Draws bars of the target's and the draft's values side by side.
     *
     * @param file a PNG
     * @param target values by name, in the order of the bars, all greater than 0
     * @param draft values for the same names
     */
    static void bars(Path file, String title, String unit, Map<String, Double> target, Map<String, Double> draft)
            throws IOException {
        CategoryChart chart = new CategoryChartBuilder()
                .width(900)
                .height(480)
                .title(title)
                .yAxisTitle(unit)
                .theme(Styler.ChartTheme.GGPlot2)
                .build();
        chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNW);
        chart.getStyler().setXAxisLabelRotation(30);
        chart.getStyler().setYAxisLogarithmic(true);
        // bars grow from zero, which a logarithmic axis does not have: from the power of ten below the least
        chart.getStyler().setYAxisMin(Math.pow(10, Math.floor(Math.log10(least(target, draft)))));
        List<String> names = new ArrayList<>(target.keySet());
        chart.addSeries("target", names, new ArrayList<>(target.values()));
        chart.addSeries("draft", names, names.stream().map(draft::get).toList());
        BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
    }

    /**
     * Draws lines over one axis.
     *
     * @param file a PNG
     * @param x in rising order
     * @param lines values for each x, by name
     */
    static void lines(Path file, String title, String xTitle, String yTitle, double[] x, Map<String, double[]> lines)
            throws IOException {
        XYChart chart = new XYChartBuilder()
                .width(900)
                .height(480)
                .title(title)
                .xAxisTitle(xTitle)
                .yAxisTitle(yTitle)
                .theme(Styler.ChartTheme.GGPlot2)
                .build();
        chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNW);
        chart.getStyler().setMarkerSize(0);
        lines.forEach((name, values) -> chart.addSeries(name, x, values));
        BitmapEncoder.saveBitmap(chart, file.toString(), BitmapEncoder.BitmapFormat.PNG);
    }

    private static double least(Map<String, Double> target, Map<String, Double> draft) {
        return Math.min(Collections.min(target.values()), Collections.min(draft.values()));
    }
}
