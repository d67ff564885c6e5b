package dev.paloverde.jobs;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Type.Repetition;

/**
 * The columns of one Parquet table that are read, found by their names.
 *
 * @param schema of those alone
 * @param image names of the fields on the way to the image
 * @param caption and to the caption; empty for none
 * @param key and to the key; empty for none
 */
record TableColumns(MessageType schema, List<String> image, List<String> caption, List<String> key) {
    /** {@return them, if the table has all that are asked for, the image and the caption as bytes or strings} */
    static Optional<TableColumns> of(MessageType table, ImageTables.Columns asked) {
        List<List<String>> paths = new ArrayList<>();
        for (String name : new String[] {asked.image(), asked.caption(), asked.key()}) {
            List<String> path = name == null ? List.of() : find(table, name);
            if (path == null) {
                return Optional.empty();
            }
            paths.add(path);
        }
        for (List<String> path : paths.subList(0, 2)) {
            if (!path.isEmpty()
                    && table.getType(path.toArray(String[]::new))
                                    .asPrimitiveType()
                                    .getPrimitiveTypeName()
                            != PrimitiveTypeName.BINARY) {
                return Optional.empty();
            }
        }
        return Optional.of(new TableColumns(
                new MessageType(table.getName(), project(table, paths)), paths.get(0), paths.get(1), paths.get(2)));
    }

    /** {@return names and types of columns, for messages} */
    static String describe(MessageType table) {
        return table.getFields().stream()
                .map(field -> field.getName()
                        + " "
                        + (field.isPrimitive()
                                ? field.asPrimitiveType()
                                        .getPrimitiveTypeName()
                                        .name()
                                        .toLowerCase(Locale.ROOT)
                                : "("
                                        + field.asGroupType().getFields().stream()
                                                .map(Type::getName)
                                                .collect(Collectors.joining(", "))
                                        + ")"))
                .collect(Collectors.joining(", "));
    }

    /** {@return the fields on the way to a column that is one value, by a name that may differ in case; null if none is} */
    private static List<String> find(GroupType table, String name) {
        List<String> path = new ArrayList<>();
        Type at = table;
        for (String part : name.split("\\.", -1)) {
            if (at.isPrimitive()) {
                return null;
            }
            GroupType group = at.asGroupType();
            Optional<Type> field = Stream.concat(
                            group.getFields().stream()
                                    .filter(each -> each.getName().equals(part)),
                            group.getFields().stream()
                                    .filter(each -> each.getName().equalsIgnoreCase(part)))
                    .findFirst();
            if (field.isEmpty() || field.get().getRepetition() == Repetition.REPEATED) {
                return null;
            }
            at = field.get();
            path.add(at.getName());
        }
        return at.isPrimitive() ? path : null;
    }

    /** {@return the fields of a group on the way to any of the columns} */
    private static List<Type> project(GroupType group, List<List<String>> paths) {
        Map<String, List<List<String>>> wanted = new LinkedHashMap<>();
        for (List<String> path : paths) {
            if (!path.isEmpty()) {
                wanted.computeIfAbsent(path.get(0), name -> new ArrayList<>()).add(path.subList(1, path.size()));
            }
        }
        List<Type> fields = new ArrayList<>();
        wanted.forEach((name, below) -> {
            Type field = group.getType(name);
            fields.add(
                    field.isPrimitive()
                            ? field
                            : field.asGroupType().withNewFields(project(field.asGroupType(), below)));
        });
        return fields;
    }

    byte[] image(Group row) {
        return bytes(row, image);
    }

    byte[] caption(Group row) {
        return caption.isEmpty() ? null : bytes(row, caption);
    }

    /** {@return the key as text; null if there is none} */
    String key(Group row) {
        Group holder = key.isEmpty() ? null : holder(row, key);
        if (holder == null) {
            return null;
        }
        String name = key.get(key.size() - 1);
        return holder.getFieldRepetitionCount(name) == 0
                ? null
                : holder.getValueToString(holder.getType().getFieldIndex(name), 0);
    }

    private static byte[] bytes(Group row, List<String> path) {
        Group holder = holder(row, path);
        String name = path.get(path.size() - 1);
        if (holder == null || holder.getFieldRepetitionCount(name) == 0) {
            return null;
        }
        Binary value = holder.getBinary(name, 0);
        return value.getBytes();
    }

    /** {@return the group that has the last of the fields; null if one on the way is null} */
    private static Group holder(Group row, List<String> path) {
        Group at = row;
        for (String name : path.subList(0, path.size() - 1)) {
            if (at.getFieldRepetitionCount(name) == 0) {
                return null;
            }
            at = at.getGroup(name, 0);
        }
        return at;
    }
}
