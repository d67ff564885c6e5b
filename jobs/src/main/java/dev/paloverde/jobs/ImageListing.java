package dev.paloverde.jobs;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * What the files of an input are, by their names: shards, tables, images with captions beside them, and folders of numbered
 * frames, which are videos.
 *
 * @param shards tar files
 * @param tables Parquet files
 * @param images rows of {@link dev.paloverde.pipelines.image.ImageFiles#LISTING}
 * @param films such rows of MP4, WebM and the like
 * @param fingerprint of names, sizes and times of all that is read
 */
record ImageListing(
        List<String> shards, List<FileStatus> tables, List<Row> images, List<Row> films, String fingerprint) {
    private static final Set<String> IMAGES = Set.of("jpg", "jpeg", "png", "gif", "webp", "bmp");
    private static final Set<String> FILMS = Set.of("mp4", "m4v", "mov", "webm", "mkv");
    private static final int LEAST_FRAMES = 2;

    /** A file, its folder, and its name with and without what follows the last dot. */
    private record Named(FileStatus file, String folder, String base, String extension) {
        static Named of(FileStatus file) {
            String name = file.getPath().getName();
            int dot = name.lastIndexOf('.');
            return new Named(
                    file,
                    file.getPath().getParent().toString(),
                    dot < 0 ? name : name.substring(0, dot),
                    dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT));
        }

        String path() {
            return file.getPath().toString();
        }

        /** {@return the listing's row of a file by itself, with its caption if one of the texts is that} */
        Row row(Set<String> texts) {
            String caption = folder + "/" + base + ".txt";
            return RowFactory.create(folder + "/" + base, path(), texts.contains(caption) ? caption : null, 0, null);
        }

        boolean isFrame() {
            return IMAGES.contains(extension) && base.chars().allMatch(c -> c >= '0' && c <= '9');
        }
    }

    /**
     * @param folderRate frames a second of folders of frames
     * @param rate frames a second that are read
     */
    static ImageListing of(List<FileStatus> files, double folderRate, double rate) {
        List<Named> all = files.stream()
                .map(Named::of)
                .sorted(Comparator.comparing(Named::path))
                .toList();
        List<String> shards = new ArrayList<>();
        List<FileStatus> tables = new ArrayList<>();
        List<Named> images = new ArrayList<>();
        List<Named> films = new ArrayList<>();
        Set<String> texts = new HashSet<>();
        for (Named file : all) {
            String name = file.file.getPath().getName().toLowerCase(Locale.ROOT);
            if (name.endsWith(".tar") || name.endsWith(".tar.gz") || name.endsWith(".tgz")) {
                shards.add(file.path());
            } else if (name.endsWith(".parquet")) {
                tables.add(file.file);
            } else if (IMAGES.contains(file.extension)) {
                images.add(file);
            } else if (FILMS.contains(file.extension)) {
                films.add(file);
            } else if (file.extension.equals("txt")) {
                texts.add(file.path());
            }
        }
        return new ImageListing(
                shards,
                tables,
                rows(images, texts, folderRate, rate),
                films.stream().map(film -> film.row(texts)).toList(),
                fingerprint(all));
    }

    private static List<Row> rows(List<Named> images, Set<String> texts, double folderRate, double rate) {
        Map<String, Integer> frames = new HashMap<>();
        for (Named image : images) {
            if (image.isFrame()) {
                frames.merge(image.folder, 1, Integer::sum);
            }
        }
        Map<String, List<Named>> videos = new TreeMap<>();
        List<Row> rows = new ArrayList<>();
        for (Named image : images) {
            if (image.isFrame() && frames.get(image.folder) >= LEAST_FRAMES) {
                videos.computeIfAbsent(image.folder, none -> new ArrayList<>()).add(image);
                continue;
            }
            rows.add(image.row(texts));
        }
        videos.forEach((folder, all) -> {
            all.sort(Comparator.comparingInt((Named frame) -> frame.base.length())
                    .thenComparing(Named::base));
            for (int i = 0; ; i++) {
                // the frame that is shown when the i-th step begins
                int shown = (int) Math.floor(i / rate * folderRate + 1e-9);
                if (shown >= all.size()) {
                    break;
                }
                rows.add(RowFactory.create(folder, all.get(shown).path(), null, i, shown));
            }
        });
        return rows;
    }

    private static String fingerprint(List<Named> files) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Named file : files) {
                digest.update("%s %d %d\n"
                        .formatted(file.path(), file.file.getLen(), file.file.getModificationTime())
                        .getBytes(StandardCharsets.UTF_8));
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 16) + ", %d files".formatted(files.size());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
