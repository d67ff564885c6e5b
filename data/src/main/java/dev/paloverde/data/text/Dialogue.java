package dev.paloverde.data.text;

import dev.paloverde.data.text.Facts.Fact;
import dev.paloverde.data.text.World.Animal;
import dev.paloverde.data.text.World.Name;
import dev.paloverde.data.text.World.Place;
import dev.paloverde.data.text.World.Plant;
import java.util.ArrayList;
import java.util.List;

/** Exchanges of a user and an assistant. Each turn is one line that begins with its speaker. */
final class Dialogue implements TextSource.Author {
    static final String USER = "User: ";
    static final String ASSISTANT = "Assistant: ";

    @Override
    public String write(Draws draws) {
        List<String> lines = new ArrayList<>();
        Name user = draws.pick(World.PEOPLE);
        boolean named = draws.chance(0.3);
        if (named) {
            turn(
                    lines,
                    draws,
                    user,
                    "{Hello|Good morning|Hi}, my name is $user.",
                    "{Hello $user! How can I help you?|Good to meet you, $user. What would you like to know?|Hello $user. What can I do for you?}");
        }
        int topics = draws.between(2, 3);
        for (int topic = 0; topic < topics; topic++) {
            switch (draws.below(6)) {
                case 0, 1 -> subject(draws, lines, user);
                case 2 -> sum(draws, lines, user);
                case 3 -> trip(draws, lines, user);
                case 4 -> compare(draws, lines, user);
                default -> planting(draws, lines, user);
            }
        }
        if (named && draws.chance(0.5)) {
            turn(
                    lines,
                    draws,
                    user,
                    "{Do you remember my name?|What is my name?}",
                    "{Yes, your name is $user.|You are $user.}");
        }
        if (draws.chance(0.5)) {
            turn(
                    lines,
                    draws,
                    user,
                    "{Thank you|Thanks}{, that was all|, that helps|}.",
                    "{You are welcome|Gladly}" + (named ? ", $user" : "")
                            + "{. Have a good day|. Come back any time|}.");
        }
        return String.join("\n", lines);
    }

    private static void turn(List<String> lines, Draws draws, Name user, String asked, String answered) {
        turn(lines, new Phrases(draws).bind("user", user.name()), asked, answered);
    }

    private static void turn(List<String> lines, Phrases phrases, String asked, String answered) {
        lines.add(USER + phrases.say(asked));
        lines.add(ASSISTANT + phrases.say(answered));
    }

    private static void subject(Draws draws, List<String> lines, Name user) {
        List<Fact> facts = draws.some(Facts.BY_SUBJECT.get(draws.pick(Facts.subjects())), draws.between(1, 3));
        for (Fact fact : facts) {
            Phrases phrases =
                    new Phrases(draws).bind("question", fact.question(draws)).bind("sentence", fact.sentence());
            turn(
                    lines,
                    phrases,
                    "{$question|$question|I have a question. $question|Please tell me: $question}",
                    "$sentence");
        }
    }

    private static void sum(Draws draws, List<String> lines, Name user) {
        int first = draws.between(2, 40);
        int second = draws.between(2, 40);
        boolean times = draws.chance(0.3);
        int low = times ? first % 9 + 1 : first;
        int high = times ? second % 9 + 1 : second;
        Phrases phrases = new Phrases(draws)
                .bind("x", low)
                .bind("y", high)
                .bind("z", times ? low * high : low + high)
                .bind("sign", times ? "times" : "plus");
        turn(
                lines,
                phrases,
                "{What is $x $sign $y?|Can you tell me $x $sign $y?|How much is $x $sign $y?}",
                "{$x $sign $y is $z.|That is $z.|The answer is $z.}");
    }

    private static void trip(Draws draws, List<String> lines, Name user) {
        Place place = draws.pick(World.PLACES);
        boolean dry = place.water().startsWith("no");
        Phrases phrases = new Phrases(draws)
                .bind("place", place.name())
                .bind("side", place.side())
                .bind("known", place.known())
                .bind("water", place.water());
        turn(
                lines,
                phrases,
                "{I want to visit $place tomorrow. What should I know?|Tell me about $place.|Is $place worth a visit?}",
                "{$place lies $side of the camp and is known for $known.|You find $place $side of the camp. It is known for $known.} "
                        + (dry
                                ? "{There is no water at all, so carry enough.|Take water with you, for there is none.}"
                                : "{You can drink there: it has $water.|There is water: $water.}"));
        turn(
                lines,
                phrases,
                "{When should I start?|What is the best time to go?}",
                "{Start early, before it is hot|Go at sunrise}, and "
                        + (dry ? "take three bottles of water" : "take one bottle of water for the way") + ".");
    }

    private static void compare(Draws draws, List<String> lines, Name user) {
        List<Animal> pair = draws.some(World.ANIMALS, 2);
        Animal first = pair.get(0);
        Animal second = pair.get(1);
        boolean same = first.group() == second.group();
        Phrases phrases = new Phrases(draws)
                .bind("first", first.name())
                .bind("second", second.name())
                .bind("group", first.group().word)
                .bind("groups", first.group().word + "s")
                .bind("other", second.group().word)
                .bind("food", first.eats())
                .bind("meal", second.eats());
        turn(
                lines,
                phrases,
                "{Are the $first and the $second of the same kind?|Do a $first and a $second belong together?}",
                same
                        ? "{Yes, both are $groups.|Yes. The $first and the $second are both $groups.}"
                        : "{No. The $first is a $group, but the $second is a $other.|No, one is a $group and the other is a $other.}");
        if (draws.chance(0.6)) {
            turn(
                    lines,
                    phrases,
                    "{And what do they eat?|Do they eat the same?}",
                    first.eats().equals(second.eats())
                            ? "Yes, both eat $food."
                            : "{The $first eats $food, and the $second eats $meal.|No: a $first eats $food, a $second eats $meal.}");
        }
    }

    private static void planting(Draws draws, List<String> lines, Name user) {
        Plant plant = draws.pick(World.PLANTS);
        Phrases phrases = new Phrases(draws)
                .bind("plant", plant.name())
                .bind("flower", plant.flower())
                .bind("month", plant.month())
                .bind("kind", plant.kind())
                .bind("known", plant.known())
                .bind("height", World.counted(plant.height(), "meter", "meters"));
        turn(
                lines,
                phrases,
                "{Can I plant a $plant in my garden?|I would like a $plant for my garden.|Is a $plant good for a garden?}",
                "{Yes, if you have the room: it can reach $height|It grows up to $height, so give it space}. {This $kind has $flower flowers in $month|In $month it has $flower flowers} and is known for $known.");
        if (draws.chance(0.5)) {
            turn(
                    lines,
                    phrases,
                    "{How much water does it need?|Must I water it often?}",
                    plant.kind().equals("cactus")
                            ? "{Very little. Too much water would harm it.|Almost none, once it has roots.}"
                            : "{Some in the first summer, later only the rain.|Once a week in the first year, then less.}");
        }
    }
}
