package dev.paloverde.udfs.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.trees.TreeNode;
import scala.PartialFunction;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractPartialFunction;

/** What Java needs to speak with Spark's Scala. All of it is here. */
final class Scala {
    private Scala() {}

    static <T> Seq<T> seq(List<? extends T> list) {
        return CollectionConverters.<T>asScala(new ArrayList<T>(list)).toSeq();
    }

    static <T> List<T> list(scala.collection.Seq<? extends T> seq) {
        return new ArrayList<>(CollectionConverters.asJava(seq));
    }

    static Map<String, String> map(scala.collection.Map<String, String> map) {
        return CollectionConverters.asJava(map);
    }

    static <K, V> scala.collection.immutable.Map<K, V> map(Map<K, V> map) {
        return scala.collection.immutable.Map.from(CollectionConverters.asScala(map));
    }

    static <A, B> AbstractFunction1<A, B> function(Function<A, B> function) {
        return new AbstractFunction1<>() {
            @Override
            public B apply(A argument) {
                return function.apply(argument);
            }
        };
    }

    /** A rewriting that is defined everywhere. */
    static <A> PartialFunction<A, A> rewrite(UnaryOperator<A> function) {
        return new AbstractPartialFunction<>() {
            @Override
            public boolean isDefinedAt(A argument) {
                return true;
            }

            @Override
            public A apply(A argument) {
                return function.apply(argument);
            }
        };
    }

    /** {@return whether a node of the tree satisfies the condition} Plans inside of expressions are not entered. */
    static <T extends TreeNode<T>> boolean exists(TreeNode<T> tree, Predicate<T> condition) {
        return tree.exists(function(node -> (Object) condition.test(node)));
    }

    /**
     * Replaces parts of an expression, from the top down; what was replaced is not entered. A sub-query that reads a
     * new attribute of the outer query through its join conditions is told so.
     */
    static Expression replace(Expression expression, Function<Expression, Expression> orNull) {
        Expression replaced = orNull.apply(expression);
        if (replaced != null) {
            return replaced;
        }
        Expression changed = expression.mapChildren(function(child -> replace(child, orNull)));
        if (changed == expression || !(changed instanceof SubqueryExpression query)) {
            return changed;
        }
        AttributeSet before = AttributeSet.apply(expression.children());
        List<Expression> outer = list(query.getOuterAttrs());
        list(AttributeSet.apply(changed.children()).toSeq()).stream()
                .filter(attribute -> !before.contains((NamedExpression) attribute))
                .forEach(outer::add);
        return query.withNewOuterAttrs(seq(outer));
    }
}
