package dev.paloverde.data.text;

import java.util.List;

/** Descriptions of drawn scenes: what stands where, in which color and size, counted and compared. */
final class Captions implements TextSource.Author {
    private static final List<String> COLUMNS = List.of("on the left", "in the middle", "on the right");
    private static final List<String> ROWS = List.of("far away", "halfway", "in front");

    @Override
    public String write(Draws draws) {
        Scene scene = Scene.draw(draws);
        List<Scene.Item> items = scene.items();
        Phrases phrases = new Phrases(draws)
                .bind("ground", scene.ground().words())
                .bind("sky", scene.sky().words())
                .bind("count", World.count(items.size()));
        StringBuilder text = new StringBuilder();
        text.append(phrases.say("{A drawing|A simple picture|An image} of $count things on $ground under $sky."));
        for (Scene.Item item : items) {
            phrases.bind(
                            "item",
                            "a " + item.size().word() + " " + item.color().word() + " "
                                    + item.shape().word())
                    .bind("column", COLUMNS.get(item.column()))
                    .bind("row", ROWS.get(item.row()));
            text.append(' ')
                    .append(
                            phrases.say(
                                    "{$row, $column, {stands|is} $item.|there is $item $column, $row.|$item is $column, $row.}"));
        }
        relations(draws, items, text);
        return text.toString();
    }

    private static void relations(Draws draws, List<Scene.Item> items, StringBuilder text) {
        Scene.Item first = items.get(0);
        Scene.Item second = items.get(1);
        Phrases phrases = new Phrases(draws)
                .bind("first", first.color().word() + " " + first.shape().word())
                .bind("second", second.color().word() + " " + second.shape().word());
        if (first.column() < second.column()) {
            text.append(' ').append(phrases.say("The $first is {to the left of|left of} the $second."));
        } else if (first.column() > second.column()) {
            text.append(' ').append(phrases.say("The $first is {to the right of|right of} the $second."));
        } else {
            text.append(' ')
                    .append(phrases.say(
                            first.row() > second.row()
                                    ? "The $first stands in front of the $second."
                                    : "The $first stands behind the $second."));
        }
        for (Scene.Shape shape : Scene.Shape.values()) {
            int number =
                    (int) items.stream().filter(item -> item.shape() == shape).count();
            if (number > 1) {
                text.append(" There are ")
                        .append(World.count(number))
                        .append(' ')
                        .append(shape.word())
                        .append("s.");
            }
        }
        Scene.Shape absent = draws.pick(Scene.Shape.values());
        if (items.stream().noneMatch(item -> item.shape() == absent)) {
            text.append(" There is no ").append(absent.word()).append('.');
        }
    }
}
