<?php
/**
 * Stock changes: in one transaction with their key, each row on the database's own number.
 *
 * No other code runs between the start and the end of the transaction: the hooks of other plugins come afterwards, and
 * come again if the request is repeated, since they may have been cut off.
 *
 * @package tillsync-stock
 */

defined( 'ABSPATH' ) || exit;

/**
 * One request's rows.
 */
class Tillsync_Stock {
	/** Most rows of one request. */
	const ROWS_MAX = 100;

	/**
	 * Carries a request out once.
	 *
	 * @param string $key    Its key.
	 * @param string $marker Name of the meta data in which each changed product keeps the key: whoever asks later can see
	 *                       what took effect, with this plugin or without it.
	 * @param array  $rows   Rows as Tillsync_Rest has checked them.
	 * @return array|WP_Error Answer, or why nothing took effect.
	 */
	public static function change( $key, $marker, array $rows ) {
		global $wpdb;
		$digest = hash( 'sha256', wp_json_encode( array( $marker, $rows ) ) );
		$known  = self::replay( $key, $digest );
		if ( null !== $known ) {
			return $known;
		}
		if ( ! Tillsync_Operations::is_transactional() ) {
			return new WP_Error( 'tillsync_unsafe_tables', 'The tables of this shop know no transactions.', array( 'status' => 501 ) );
		}
		$looked = array_map( array( __CLASS__, 'look' ), $rows );
		$wpdb->query( 'START TRANSACTION' );
		if ( ! Tillsync_Operations::take( $key, $digest, Tillsync_Operations::DONE ) ) {
			$wpdb->query( 'ROLLBACK' );
			$known = self::replay( $key, $digest );
			return null !== $known ? $known : self::busy();
		}
		$answer = self::write( $rows, $looked );
		$marked = null !== $answer && self::mark( $marker, $key, $answer );
		$stored = $marked && Tillsync_Operations::store( $key, wp_json_encode( $answer ) );
		if ( ! $stored || false === $wpdb->query( 'COMMIT' ) ) {
			$wpdb->query( 'ROLLBACK' );
			return self::busy();
		}
		self::announce( $answer );
		return array_merge( array( 'key' => $key, 'replayed' => false ), $answer );
	}

	/**
	 * What became of a key. One that is not known is closed, so that a request on its way will not be carried out.
	 *
	 * @param string $key The key.
	 * @return array|WP_Error
	 */
	public static function outcome( $key ) {
		global $wpdb;
		$known = Tillsync_Operations::find( $key );
		if ( null === $known ) {
			// Waits for a request under this key that is being carried out right now.
			$wpdb->query( 'START TRANSACTION' );
			$closed = Tillsync_Operations::take( $key, '', Tillsync_Operations::CLOSED );
			$wpdb->query( $closed ? 'COMMIT' : 'ROLLBACK' );
			$known = Tillsync_Operations::find( $key );
		}
		if ( null === $known ) {
			return self::busy();
		}
		if ( Tillsync_Operations::CLOSED === $known->state ) {
			return array( 'key' => $key, 'known' => false, 'closed' => true );
		}
		return array_merge( array( 'key' => $key, 'known' => true ), json_decode( $known->result, true ) );
	}

	/**
	 * The stored answer of a key, if there is one.
	 *
	 * @param string $key    The key.
	 * @param string $digest SHA-256 of what is asked.
	 * @return array|WP_Error|null
	 */
	private static function replay( $key, $digest ) {
		$known = Tillsync_Operations::find( $key );
		if ( null === $known ) {
			return null;
		}
		if ( Tillsync_Operations::CLOSED === $known->state ) {
			return new WP_Error( 'tillsync_key_closed', 'This key was closed before its request came.', array( 'status' => 409 ) );
		}
		if ( $known->digest !== $digest ) {
			return new WP_Error( 'tillsync_key_reused', 'This key was used with other rows.', array( 'status' => 409 ) );
		}
		$answer = json_decode( $known->result, true );
		self::announce( $answer );
		return array_merge( array( 'key' => $key, 'replayed' => true ), $answer );
	}

	/**
	 * Nothing took effect; the same request may be sent again.
	 *
	 * @return WP_Error
	 */
	private static function busy() {
		return new WP_Error( 'tillsync_busy', 'The database was busy; nothing was changed.', array( 'status' => 503 ) );
	}

	/**
	 * Who keeps the number of a row's product, before the transaction.
	 *
	 * @param array $row A row.
	 * @return string|int Number of the row of meta data that holds the stock, or a code of why there is none.
	 */
	private static function look( array $row ) {
		global $wpdb;
		$product = wc_get_product( $row['product'] );
		if ( ! $product ) {
			return 'unknown_product';
		}
		if ( ! current_user_can( 'edit_post', $row['product'] ) ) {
			return 'forbidden';
		}
		if ( ! $product->managing_stock() ) {
			return 'not_managed';
		}
		if ( (int) $product->get_stock_managed_by_id() !== (int) $row['product'] ) {
			return 'managed_by_parent';
		}
		// As WooCommerce does before it writes: a row must be there to be updated.
		add_post_meta( $row['product'], '_stock', 0, true );
		$id = $wpdb->get_var(
			$wpdb->prepare(
				"SELECT meta_id FROM {$wpdb->postmeta} WHERE post_id = %d AND meta_key = '_stock' ORDER BY meta_id LIMIT 1",
				$row['product']
			)
		);
		return null === $id ? 'not_managed' : (int) $id;
	}

	/**
	 * Writes inside the open transaction.
	 *
	 * @param array $rows   Rows.
	 * @param array $looked What look() said of each.
	 * @return array|null Answer, or null if the database refused.
	 */
	private static function write( array $rows, array $looked ) {
		global $wpdb;
		$answers = array();
		$whole   = false;
		$stale   = false;
		$failed  = false;
		if ( false === $wpdb->query( 'SAVEPOINT tillsync_rows' ) ) {
			return null;
		}
		// Always in the same order, so that two requests cannot wait for each other.
		$order = array_keys( $rows );
		usort(
			$order,
			function ( $one, $other ) use ( $rows ) {
				return $rows[ $one ]['product'] <=> $rows[ $other ]['product'];
			}
		);
		foreach ( $order as $at ) {
			$row    = $rows[ $at ];
			$meta   = $looked[ $at ];
			$answer = array( 'id' => $row['id'], 'product' => $row['product'] );
			$whole  = $whole || isset( $row['set'] );
			if ( ! is_int( $meta ) ) {
				$answers[ $at ] = $answer + array( 'status' => 'refused', 'code' => $meta, 'message' => self::say( $meta ) );
				$failed         = true;
				continue;
			}
			$stock = $wpdb->get_var( $wpdb->prepare( "SELECT meta_value FROM {$wpdb->postmeta} WHERE meta_id = %d FOR UPDATE", $meta ) );
			if ( null === $stock ) {
				return null;
			}
			if ( isset( $row['set'] ) && (float) $stock !== (float) $row['expect'] ) {
				$answers[ $at ] = $answer + array( 'status' => 'stale', 'stock' => self::number( $stock ) );
				$stale          = true;
				$failed         = true;
				continue;
			}
			$due = isset( $row['set'] ) ? $row['set'] : self::number( $stock ) + $row['delta'];
			if ( false === $wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->postmeta} SET meta_value = %s WHERE meta_id = %d", (string) $due, $meta ) ) ) {
				return null;
			}
			$answers[ $at ] = $answer + array( 'status' => 'applied', 'stock' => $due );
		}
		ksort( $answers );
		if ( $whole && $failed ) {
			// Numbers are set together or not at all. The key stays taken, with the answer why.
			if ( false === $wpdb->query( 'ROLLBACK TO SAVEPOINT tillsync_rows' ) ) {
				return null;
			}
			foreach ( $answers as &$answer ) {
				if ( 'applied' === $answer['status'] ) {
					unset( $answer['stock'] );
					$answer['status'] = 'untouched';
				}
			}
			unset( $answer );
		}
		return array( 'stale' => $stale, 'rows' => array_values( $answers ) );
	}

	/**
	 * A number as the database keeps it, `7.000000`; shops that allow fractions keep `2.5`.
	 *
	 * @param string $text The stored text.
	 * @return int|float
	 */
	private static function number( $text ) {
		$number = (float) $text;
		return floor( $number ) === $number ? (int) $number : $number;
	}

	/**
	 * Leaves the key at each product that was changed, inside the open transaction.
	 *
	 * @param string $marker Name of the meta data.
	 * @param string $key    The key.
	 * @param array  $answer The answer.
	 * @return bool
	 */
	private static function mark( $marker, $key, array $answer ) {
		global $wpdb;
		foreach ( $answer['rows'] as $row ) {
			if ( 'applied' !== $row['status'] ) {
				continue;
			}
			$id = $wpdb->get_var(
				$wpdb->prepare( "SELECT meta_id FROM {$wpdb->postmeta} WHERE post_id = %d AND meta_key = %s ORDER BY meta_id LIMIT 1", $row['product'], $marker )
			);
			$sql = null === $id
				? $wpdb->prepare( "INSERT INTO {$wpdb->postmeta} (post_id, meta_key, meta_value) VALUES (%d, %s, %s)", $row['product'], $marker, $key )
				: $wpdb->prepare( "UPDATE {$wpdb->postmeta} SET meta_value = %s WHERE meta_id = %d", $key, $id );
			if ( false === $wpdb->query( $sql ) ) {
				return false;
			}
		}
		return true;
	}

	/**
	 * After the commit: caches, look-up table, stock status, date and hooks, by WooCommerce's own function and a change of
	 * nothing. Harmless when repeated.
	 *
	 * @param array $answer An answer.
	 */
	private static function announce( array $answer ) {
		$done = array();
		foreach ( $answer['rows'] as $row ) {
			if ( 'applied' === $row['status'] && ! isset( $done[ $row['product'] ] ) ) {
				$done[ $row['product'] ] = true;
				wp_cache_delete( $row['product'], 'post_meta' );
				clean_post_cache( $row['product'] );
				wc_update_product_stock( $row['product'], 0, 'increase' );
			}
		}
	}

	/**
	 * A code in words, with what to do.
	 *
	 * @param string $code A code of look().
	 * @return string
	 */
	private static function say( $code ) {
		$texts = array(
			'unknown_product'   => 'There is no product with this number.',
			'forbidden'         => 'The owner of the REST key may not edit this product.',
			'not_managed'       => 'This product keeps no stock number: turn on "Track stock quantity for this product".',
			'managed_by_parent' => 'The stock of this variation is kept by its product.',
		);
		return $texts[ $code ];
	}
}
