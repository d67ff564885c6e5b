package dev.paloverde.jobs;

import dev.paloverde.pipelines.image.ImageRejectReason;
import dev.paloverde.pipelines.image.Samples;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.RecordReader;
import org.apache.spark.sql.Row;

/** The samples of one group of rows, in order, and what is wrong with it at their end. Holds the columns of one group. */
final class TableSamples implements Iterator<Row>, AutoCloseable {
    private final ImageTables.Part part;
    private final ImageTables tables;
    private ParquetFileReader reader;
    private TableColumns columns;
    private RecordReader<Group> records;
    private long read;
    private Row next;

    TableSamples(ImageTables.Part part, ImageTables tables, Configuration configuration) {
        this.part = part;
        this.tables = tables;
        try {
            reader = ParquetFileReader.open(HadoopInputFile.fromPath(new Path(part.path()), configuration));
            columns = TableColumns.of(reader.getFileMetaData().getSchema(), tables.columns())
                    .orElseThrow(() -> new IOException("the table is another than it was"));
            reader.setRequestedSchema(columns.schema());
            for (int group = 0; group < part.group(); group++) {
                reader.skipNextRowGroup();
            }
            PageReadStore pages = reader.readNextRowGroup();
            records = new ColumnIOFactory()
                    .getColumnIO(columns.schema())
                    .getRecordReader(pages, new GroupRecordConverter(columns.schema()));
            advance();
        } catch (IOException | RuntimeException | StackOverflowError e) {
            end(e);
        }
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public Row next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        Row sample = next;
        advance();
        return sample;
    }

    private void advance() {
        next = null;
        if (reader == null) {
            return;
        }
        if (read == part.rows()) {
            close();
            return;
        }
        try {
            Group row = records.read();
            next = Samples.of(part.path(), columns.key(row), columns.image(row), columns.caption(row), tables.limits());
            read++;
        } catch (RuntimeException | StackOverflowError e) {
            end(e);
        }
    }

    private void end(Throwable e) {
        next = Samples.damaged(
                part.path(),
                part.begin(),
                part.bytes(),
                e instanceof FileNotFoundException
                        ? ImageRejectReason.UNREADABLE_SHARD
                        : ImageRejectReason.TRUNCATED_SHARD,
                "%,d of the %,d rows of group %d can be read: %s".formatted(read, part.rows(), part.group(), e));
        close();
    }

    @Override
    public void close() {
        try {
            if (reader != null) {
                reader.close();
            }
        } catch (IOException e) {
            // it was only read
        } finally {
            reader = null;
        }
    }
}
