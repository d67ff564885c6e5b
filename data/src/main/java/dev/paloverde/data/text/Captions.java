package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.List;

/** Descriptions of drawn scenes: what stands where, in which color and size, counted and compared. */
final class Captions implements TextSource.Author {
    private record Item(String name, String plural, String color, String size, int column, int row) {
        String described() {
            return "a " + size + " " + color + " " + name;
        }
    }

    private static final List<String> SHAPES =
            List.of("saguaro", "rock", "palo verde", "bird", "house", "barrel", "tent", "flower");
    private static final List<String> PLURALS =
            List.of("saguaros", "rocks", "palo verdes", "birds", "houses", "barrels", "tents", "flowers");
    private static final List<String> COLORS =
            List.of("green", "orange", "yellow", "white", "brown", "red", "blue", "gray");
    private static final List<String> SIZES = List.of("small", "large", "tall", "tiny");
    private static final List<String> COLUMNS = List.of("on the left", "in the middle", "on the right");
    private static final List<String> ROWS = List.of("far away", "halfway", "in front");

    @Override
    public String write(Draws draws) {
        List<Item> items = new ArrayList<>();
        List<Integer> cells = draws.some(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8), draws.between(2, 5));
        for (int cell : cells) {
            int shape = draws.below(SHAPES.size());
            items.add(new Item(
                    SHAPES.get(shape), PLURALS.get(shape), draws.pick(COLORS), draws.pick(SIZES), cell % 3, cell / 3));
        }
        String ground = draws.pick("yellow sand", "brown soil", "gray stones", "dry grass");
        String sky = draws.pick(
                "a blue sky",
                "a pink evening sky",
                "a dark sky with stars",
                "a gray sky with rain",
                "an orange sunrise");
        Phrases phrases =
                new Phrases(draws).bind("ground", ground).bind("sky", sky).bind("count", World.count(items.size()));
        StringBuilder text = new StringBuilder();
        text.append(phrases.say("{A drawing|A simple picture|An image} of $count things on $ground under $sky."));
        for (Item item : items) {
            phrases.bind("item", item.described())
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

    private static void relations(Draws draws, List<Item> items, StringBuilder text) {
        Item first = items.get(0);
        Item second = items.get(1);
        Phrases phrases = new Phrases(draws)
                .bind("first", first.color() + " " + first.name())
                .bind("second", second.color() + " " + second.name());
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
        for (int shape = 0; shape < SHAPES.size(); shape++) {
            String name = SHAPES.get(shape);
            int number = (int)
                    items.stream().filter(item -> item.name().equals(name)).count();
            if (number > 1) {
                text.append(" There are ")
                        .append(World.count(number))
                        .append(' ')
                        .append(PLURALS.get(shape))
                        .append('.');
            }
        }
        String absent = draws.pick(SHAPES);
        if (items.stream().noneMatch(item -> item.name().equals(absent))) {
            text.append(" There is no ").append(absent).append('.');
        }
    }
}
