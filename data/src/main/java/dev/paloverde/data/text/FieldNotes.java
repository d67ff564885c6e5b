package dev.paloverde.data.text;

import dev.paloverde.data.text.World.Animal;
import dev.paloverde.data.text.World.Group;
import dev.paloverde.data.text.World.Name;
import dev.paloverde.data.text.World.Place;
import dev.paloverde.data.text.World.Plant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Notes of one observer at one place over two to four visits. Plants that are measured again have grown, or kept their
 * size; a nest goes from sticks to eggs to chicks; the total of a day is the sum of what was counted.
 */
final class FieldNotes implements TextSource.Author {
    private static final int[] DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    /** Mean temperature at dawn by month, in degrees Celsius. */
    private static final int[] DAWN = {4, 6, 9, 13, 18, 23, 26, 25, 22, 15, 8, 4};

    private static final List<Animal> BIRDS = World.ANIMALS.stream()
            .filter(animal -> animal.group() == Group.BIRD)
            .toList();

    private static final List<Animal> OTHERS = World.ANIMALS.stream()
            .filter(animal -> animal.group() != Group.BIRD)
            .toList();

    @Override
    public String write(Draws draws) {
        return new Notebook(draws).write();
    }

    private static final class Notebook {
        private final Draws draws;
        private final Phrases phrases;
        private final Place place;
        private final Plant plant;
        private final Animal nester;
        private int month;
        private int day;
        private int centimeters;
        private int arms;
        private int eggs;
        private int chicks;
        private int nestStage;

        Notebook(Draws draws) {
            this.draws = draws;
            this.phrases = new Phrases(draws);
            Name observer = draws.pick(World.PEOPLE);
            place = draws.pick(World.PLACES);
            plant = draws.pick(World.PLANTS);
            nester = draws.pick(BIRDS);
            month = draws.below(12);
            day = draws.between(1, DAYS[month]);
            centimeters = plant.height() * draws.between(30, 100);
            arms = draws.between(0, 6);
            eggs = draws.between(2, 4);
            nestStage = draws.below(3);
            chicks = eggs - draws.below(2);
            phrases.bind("observer", observer.name())
                    .bind("place", place.name())
                    .bind("known", place.known())
                    .bind("water", place.water())
                    .bind("plant", plant.name())
                    .bind("plants", plant.plural())
                    .bind("flower", plant.flower())
                    .bind("number", draws.between(1, 40))
                    .bind("nester", nester.name())
                    .bind("nest", nester.home());
        }

        String write() {
            List<String> parts = new ArrayList<>();
            parts.add(
                    phrases.say(
                            "{Field notes of $observer, $place.|Notes from $place, kept by $observer.|$place, notebook of $observer.}"));
            int visits = draws.between(2, 3);
            for (int visit = 0; visit < visits; visit++) {
                parts.add(entry(visit));
                advance(draws.between(6, 26));
            }
            return String.join("\n\n", parts);
        }

        private void advance(int days) {
            day += days;
            while (day > DAYS[month]) {
                day -= DAYS[month];
                month = (month + 1) % 12;
            }
            int growth = plant.kind().equals("cactus") ? draws.between(0, 1) : draws.between(0, 4);
            centimeters += growth;
            if (nestStage > 0 || draws.chance(0.6)) {
                nestStage++;
            }
        }

        private static String meters(int centimeters) {
            return String.format(Locale.ROOT, "%d.%02d meters", centimeters / 100, centimeters % 100);
        }

        private String entry(int visit) {
            StringBuilder text = new StringBuilder();
            int dawn = DAWN[month] + draws.between(-3, 3);
            boolean rain = draws.chance(month == 6 || month == 7 || month == 0 ? 0.35 : 0.12);
            boolean cloudy = rain || draws.chance(0.25);
            phrases.bind("date", World.MONTHS.get(month) + " " + day)
                    .bind("dawn", dawn)
                    .bind("later", dawn + draws.between(8, 14))
                    .bind(
                            "sky",
                            rain
                                    ? draws.pick("rain", "light rain", "rain since the night")
                                    : cloudy
                                            ? draws.pick("clouds", "gray sky", "high clouds")
                                            : draws.pick("clear", "clear sky", "bright and clear"))
                    .bind(
                            "wind",
                            draws.pick(
                                    "no wind",
                                    "light wind",
                                    "light wind from the west",
                                    "strong wind",
                                    "wind from the south"));
            say(
                    text,
                    "$date. {$sky, $wind, $dawn degrees at dawn.|$dawn degrees at dawn, $sky, $wind.|$sky and $dawn degrees at dawn, $later in the afternoon.}");
            plantNote(text, visit);
            if (draws.chance(0.75)) {
                nestNote(text);
            }
            int hour = draws.between(6, 8);
            countNote(text, hour);
            if (draws.chance(0.6)) {
                otherNote(text, hour + draws.between(2, 4), rain);
            }
            if (draws.chance(0.35)) {
                say(
                        text,
                        place.water().startsWith("no")
                                ? "{there is no water here, and the ground is "
                                        + (rain ? "wet only on top" : "dry and hard")
                                        + ".|no water, as always at $place.}"
                                : rain
                                        ? "the water here, $water, {is rising|has risen since the last rain}."
                                        : "the water here, $water, {is low|is as it was|was used by many animals last night}.");
            }
            if (draws.chance(0.3)) {
                say(
                        text,
                        "{next time I will measure the other $plants.|I must bring {a longer tape|more water|a better map} next time.|a good day.|I left at noon because of the "
                                + (dawn > 20 ? "heat" : "long way home") + ".}");
            }
            return text.toString();
        }

        private void say(StringBuilder text, String pattern) {
            if (text.length() > 0) {
                text.append(' ');
            }
            text.append(phrases.say(pattern));
        }

        private void plantNote(StringBuilder text, int visit) {
            phrases.bind("height", meters(centimeters));
            int bloom = World.MONTHS.indexOf(plant.month());
            int since = Math.floorMod(month - bloom, 12);
            String stage = switch (since) {
                case 0 -> "{in full bloom|covered with $flower flowers}";
                case 1 -> "{past its bloom, with the last $flower flowers on the ground|forming its first fruit}";
                case 11 -> "{full of buds|in bud, with no open flower yet}";
                default -> "{without flowers|not in bloom}";
            };
            if (visit == 0) {
                say(
                        text,
                        "{$plant number $number stands {beside the trail|on the north slope|in a row of three|next to a gray boulder} and measures $height.|I measured $plant number $number: $height.}");
                if (plant.name().equals("saguaro")) {
                    phrases.bind("arms", World.counted(arms, "arm", "arms"));
                    say(text, "it has $arms.");
                }
            } else {
                say(
                        text,
                        "{$plant number $number now measures $height.|$plant number $number, measured again: $height.|the $plant with number $number is at $height today.}");
            }
            say(text, "{it is|the plant is} " + stage + ".");
        }

        private void nestNote(StringBuilder text) {
            phrases.bind("eggs", World.counted(eggs, "egg", "eggs"))
                    .bind("chicks", World.counted(chicks, "chick", "chicks"));
            say(
                    text,
                    switch (nestStage) {
                        case 0 ->
                            "{a pair of birds looks for a place to nest: two $nester, always together|no sign of the $nester today}.";
                        case 1 -> "{the $nester has begun to build|a $nester is at work on its nest}: $nest.";
                        case 2 -> "{the nest of the $nester holds $eggs|I counted $eggs in the nest of the $nester}.";
                        case 3 ->
                            "{the $nester sits on its $eggs and did not move|the $eggs of the $nester have not hatched yet}.";
                        case 4 ->
                            "{there are now $chicks in the nest of the $nester|the eggs of the $nester have hatched: $chicks}.";
                        default ->
                            "{the young $nester have left the nest|the nest of the $nester is empty, and $chicks of this year "
                                    + (chicks == 1 ? "calls" : "call") + " from a $plant}.";
                    });
        }

        private void countNote(StringBuilder text, int hour) {
            int kinds = draws.between(2, 4);
            List<Animal> seen = draws.some(BIRDS, kinds);
            List<String> counts = new ArrayList<>();
            int total = 0;
            for (Animal bird : seen) {
                int number = draws.between(1, 9);
                total += number;
                counts.add(World.counted(number, bird.name(), bird.plural()));
            }
            String list = String.join(", ", counts.subList(0, kinds - 1)) + " and " + counts.get(kinds - 1);
            phrases.bind("list", list)
                    .bind("total", total)
                    .bind("kinds", World.count(kinds))
                    .bind("hour", hour);
            say(
                    text,
                    "{birds between $hour and " + (hour + 1)
                            + " o'clock: $list. total: $total birds of $kinds kinds.|at $hour o'clock I counted $list, $total birds in all.|bird count: $list. that makes $total.}");
        }

        private void otherNote(StringBuilder text, int hour, boolean rain) {
            Animal animal = draws.pick(OTHERS);
            boolean night = animal.active().contains("night");
            phrases.bind("animal", animal.name())
                    .bind("animals", animal.plural())
                    .bind("food", animal.eats())
                    .bind("hour", hour)
                    .bind("shelter", animal.home());
            if (night) {
                say(
                        text,
                        "{the camera shows a $animal at " + draws.between(1, 4)
                                + " in the night|fresh tracks of a $animal" + (rain ? " in the mud" : " in the sand")
                                + "|I found where a $animal lives: $shelter}.");
            } else {
                say(
                        text,
                        "{at $hour o'clock a $animal {crossed the path|came very close|rested in the shade of the $plant}|a $animal was eating: these animals like $food|saw a $animal near its home, $shelter}.");
            }
        }
    }
}
