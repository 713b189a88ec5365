<?php
/**
 * The table of operations: which key was carried out, with which rows and which result.
 *
 * A row is written in the same transaction as the stock that it stands for, so both are there or neither is. The primary
 * key makes a second request under the same key wait for the first and then find its result.
 *
 * @package tillsync-stock
 */

defined( 'ABSPATH' ) || exit;

/**
 * Keys, and what became of them.
 */
class Tillsync_Operations {
	/** Days for which a key is remembered. The agent relies on half of it. */
	const KEEP_DAYS = 60;

	/** Most rows that one pruning deletes. */
	const PRUNE_MAX = 5000;

	/** Changes with the table's shape. */
	const SCHEMA = '1';

	/** Carried out; its result is stored. */
	const DONE = 'done';

	/** Asked about before it came: it will never be carried out. */
	const CLOSED = 'closed';

	/**
	 * Name of the table.
	 *
	 * @return string
	 */
	public static function table() {
		global $wpdb;
		return $wpdb->prefix . 'tillsync_operation';
	}

	/**
	 * Makes the table and plans its pruning. Runs at activation.
	 */
	public static function install() {
		global $wpdb;
		$table = self::table();
		// The engine is named because only InnoDB keeps rows and stock in one transaction.
		$wpdb->query(
			"CREATE TABLE IF NOT EXISTS {$table} (
				op_key VARCHAR(150) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
				digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
				state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
				result LONGTEXT NOT NULL,
				created DATETIME NOT NULL,
				PRIMARY KEY (op_key),
				KEY created (created)
			) ENGINE=InnoDB"
		);
		update_option( 'tillsync_stock_schema', self::SCHEMA, false );
		if ( ! wp_next_scheduled( 'tillsync_prune' ) ) {
			wp_schedule_event( time() + HOUR_IN_SECONDS, 'daily', 'tillsync_prune' );
		}
	}

	/**
	 * An update by copying files runs no activation.
	 */
	public static function upgrade() {
		if ( self::SCHEMA !== get_option( 'tillsync_stock_schema' ) ) {
			self::install();
		}
	}

	/**
	 * Stops the pruning. The table stays.
	 */
	public static function unschedule() {
		wp_clear_scheduled_hook( 'tillsync_prune' );
	}

	/**
	 * Drops the table.
	 */
	public static function uninstall() {
		global $wpdb;
		$table = self::table();
		$wpdb->query( "DROP TABLE IF EXISTS {$table}" );
		delete_option( 'tillsync_stock_schema' );
		self::unschedule();
	}

	/**
	 * Forgets keys past their time, a bounded number at once.
	 */
	public static function prune() {
		global $wpdb;
		$table = self::table();
		$wpdb->query(
			$wpdb->prepare(
				"DELETE FROM {$table} WHERE created < %s LIMIT %d",
				gmdate( 'Y-m-d H:i:s', time() - self::KEEP_DAYS * DAY_IN_SECONDS ),
				self::PRUNE_MAX
			)
		);
	}

	/**
	 * Whether stock and keys lie in tables that know transactions.
	 *
	 * @return bool
	 */
	public static function is_transactional() {
		global $wpdb;
		$engines = $wpdb->get_col(
			$wpdb->prepare(
				'SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (%s, %s)',
				self::table(),
				$wpdb->postmeta
			)
		);
		return 2 === count( $engines ) && array( 'innodb' ) === array_unique( array_map( 'strtolower', $engines ) );
	}

	/**
	 * What is known of a key.
	 *
	 * @param string $key The key.
	 * @return object|null Row with digest, state, result.
	 */
	public static function find( $key ) {
		global $wpdb;
		$table = self::table();
		return $wpdb->get_row( $wpdb->prepare( "SELECT digest, state, result FROM {$table} WHERE op_key = %s", $key ) );
	}

	/**
	 * Takes a key inside the open transaction. A request that has taken it already is waited for.
	 *
	 * @param string $key    The key.
	 * @param string $digest SHA-256 of what is asked.
	 * @param string $state  DONE or CLOSED.
	 * @return bool False if the key is taken.
	 */
	public static function take( $key, $digest, $state ) {
		global $wpdb;
		$table    = self::table();
		$quiet    = $wpdb->suppress_errors( true );
		$inserted = $wpdb->query(
			$wpdb->prepare(
				"INSERT INTO {$table} (op_key, digest, state, result, created) VALUES (%s, %s, %s, '', %s)",
				$key,
				$digest,
				$state,
				gmdate( 'Y-m-d H:i:s' )
			)
		);
		$wpdb->suppress_errors( $quiet );
		return 1 === $inserted;
	}

	/**
	 * Stores a result inside the open transaction.
	 *
	 * @param string $key    The key.
	 * @param string $result JSON.
	 * @return bool
	 */
	public static function store( $key, $result ) {
		global $wpdb;
		$table = self::table();
		return 1 === $wpdb->query( $wpdb->prepare( "UPDATE {$table} SET result = %s WHERE op_key = %s", $result, $key ) );
	}
}
