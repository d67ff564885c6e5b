package dev.paloverde.data.text;

import dev.paloverde.data.text.Facts.Fact;
import dev.paloverde.data.text.World.Animal;
import dev.paloverde.data.text.World.Name;
import dev.paloverde.data.text.World.Place;
import java.util.ArrayList;
import java.util.List;

/** Questions with their answers: about the {@link Facts}, or about a passage that stands before them. */
final class Questions implements TextSource.Author {
    private static final List<String> THINGS =
            List.of("rope", "map", "lamp", "blanket", "basket", "bottle", "book", "knife", "drum", "hat");

    private static final List<String> COLORS = List.of("red", "blue", "green", "yellow", "white", "black");

    @Override
    public String write(Draws draws) {
        List<String> parts = new ArrayList<>();
        if (draws.chance(0.3)) {
            passage(draws, parts);
        } else {
            List<Fact> asked = draws.chance(0.4)
                    ? draws.shuffled(Facts.BY_SUBJECT.get(draws.pick(Facts.subjects())))
                    : draws.some(Facts.ALL, draws.between(4, 7));
            for (Fact fact : asked) {
                parts.add(exchange(fact.question(draws), fact.answer()));
            }
        }
        return String.join("\n\n", parts);
    }

    static String exchange(String question, String answer) {
        return "Question: " + question + "\nAnswer: " + Phrases.capital(answer) + ".";
    }

    /** A passage about one person, and questions whose answers stand in it. */
    private static void passage(Draws draws, List<String> parts) {
        Name person = draws.pick(World.PEOPLE);
        Place from = draws.pick(World.PLACES);
        Place to =
                draws.pick(World.PLACES.stream().filter(place -> place != from).toList());
        Animal animal = draws.pick(World.ANIMALS);
        int count = draws.between(2, 9);
        int hour = draws.between(5, 11);
        int walked = draws.between(1, 4);
        String color = draws.pick(COLORS);
        List<String> things = draws.some(THINGS, 2);
        Phrases phrases = new Phrases(draws)
                .bind("name", person.name())
                .bind("he", person.he())
                .bind("his", person.his())
                .bind("from", from.name())
                .bind("to", to.name())
                .bind("animal", animal.name())
                .bind("animals", World.counted(count, animal.name(), animal.plural()))
                .bind("hour", hour)
                .bind("arrived", hour + walked)
                .bind("walked", World.counted(walked, "hour", "hours"))
                .bind("color", color)
                .bind("thing", things.get(0))
                .bind("left", things.get(1));
        parts.add(
                phrases.say(
                        "{$name left $from at $hour o'clock and walked to $to.|at $hour o'clock $name started from $from. $he wanted to go to $to.}"
                                + " {$he carried a $color $thing|in $his bag was a $color $thing}, but $he {forgot|had left} $his $left at home."
                                + " {On the way $he saw $animals|There were $animals beside the path}. {It took $walked|The walk took $walked}, {so $he arrived at $arrived o'clock|and at $arrived o'clock $he was there}."));
        List<String> exchanges = new ArrayList<>();
        exchanges.add(exchange(phrases.say("{Where did $name start?|From which place did $name come?}"), from.name()));
        exchanges.add(exchange(phrases.say("{Where did $name go?|To which place did $name walk?}"), to.name()));
        exchanges.add(exchange(
                phrases.say("{What did $name carry?|What was in the hands or the bag of $name?}"),
                Phrases.polish("x a " + color + " " + things.get(0)).substring(2)));
        exchanges.add(exchange(phrases.say("{What did $name forget?|What was left at home?}"), "the " + things.get(1)));
        exchanges.add(exchange(
                phrases.say("{Which animals did $name see?|What did $name see on the way?}"),
                World.counted(count, animal.name(), animal.plural())));
        exchanges.add(exchange(
                phrases.say("{When did $name arrive?|At what time was $name there?}"),
                "at " + (hour + walked) + " o'clock"));
        exchanges.add(exchange(
                phrases.say("{How long did the walk take?|How many hours did $name walk?}"),
                World.counted(walked, "hour", "hours")));
        parts.addAll(draws.some(exchanges, draws.between(3, 5)));
    }
}
